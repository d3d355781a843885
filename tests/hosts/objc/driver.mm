// Does on the Objective-C binding what it is told on standard input; ../PROTOCOL.md is the language.
#import <Yukha/Yukha.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "units.hpp"

// The pairs as they were told, a repeated name included: no dictionary of Foundation's could hold it, and the binding
// is to pass it on. Each key is an object of its own, so that the binding's look-up finds the value that was told with
// it.
@interface PairList : NSDictionary {
  NSArray* _names;
  NSArray* _values;
}
- (id)initWithNames:(NSArray*)names values:(NSArray*)values;
@end

@implementation PairList
- (id)initWithNames:(NSArray*)names values:(NSArray*)values {
  _names = [names retain];
  _values = [values retain];
  return self;
}
- (void)dealloc {
  [_names release];
  [_values release];
  [super dealloc];
}
- (NSUInteger)count {
  return [_names count];
}
- (NSEnumerator*)keyEnumerator {
  return [_names objectEnumerator];
}
- (id)objectForKey:(id)key {
  const NSUInteger at = [_names indexOfObjectIdenticalTo:key];
  return at == NSNotFound ? nil : [_values objectAtIndex:at];
}
@end

namespace {

using Words = std::vector<std::string>;

Words split(const std::string& line) {
  Words words(1);
  for (const char c : line) {
    if (c == '\t') {
      words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  return words;
}

int digit(char c) {
  return c <= '9' ? c - '0' : c - 'a' + 10;
}

std::string bytes_of(const std::string& hex) {
  std::string bytes;
  if (hex == "-") return bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) bytes += static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1]));
  return bytes;
}

std::string hex_of(NSString* text) {
  NSData* data = [text dataUsingEncoding:NSUTF8StringEncoding];
  if ([data length] == 0) return "-";
  std::string hex;
  for (NSUInteger i = 0; i < [data length]; ++i) {
    char two[3];
    snprintf(two, sizeof two, "%02x", static_cast<const unsigned char*>([data bytes])[i]);
    hex += two;
  }
  return hex;
}

// A string of UTF-16 units. Foundation's decoder gives nil for what is ill-formed; here each maximal beginning of a
// code point that could not be finished becomes one U+FFFD, as Unicode recommends and the library does.
NSString* decoded(const std::string& bytes) {
  std::vector<unichar> units;
  const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
  const auto* end = at + bytes.size();
  while (at < end) {
    const unsigned char first = *at++;
    unsigned left = 0;
    unsigned low = 0x80;
    unsigned high = 0xBF;
    uint32_t point = first;
    if (first >= 0xC2 && first <= 0xDF) {
      left = 1;
      point = first & 0x1F;
    } else if (first >= 0xE0 && first <= 0xEF) {
      left = 2;
      point = first & 0x0F;
      if (first == 0xE0) low = 0xA0;
      if (first == 0xED) high = 0x9F;
    } else if (first >= 0xF0 && first <= 0xF4) {
      left = 3;
      point = first & 0x07;
      if (first == 0xF0) low = 0x90;
      if (first == 0xF4) high = 0x8F;
    } else if (first >= 0x80) {
      point = 0xFFFD;
    }
    for (; left > 0; --left) {
      if (at == end || *at < low || *at > high) {
        point = 0xFFFD;
        break;
      }
      point = point << 6 | (*at++ & 0x3F);
      low = 0x80;
      high = 0xBF;
    }
    if (point >= 0x10000) {
      units.push_back(static_cast<unichar>(0xD800 + ((point - 0x10000) >> 10)));
      units.push_back(static_cast<unichar>(0xDC00 + ((point - 0x10000) & 0x3FF)));
    } else {
      units.push_back(static_cast<unichar>(point));
    }
  }
  return [[[Units alloc] initWithUnits:std::move(units)] autorelease];
}

NSString* text_of(const std::string& word) {
  return word == "null" ? nil : decoded(bytes_of(word));
}

// A null cannot stand in a dictionary; NSNull is what stands there for it.
NSDictionary* members_of(const Words& words, size_t from) {
  NSMutableArray* names = [NSMutableArray array];
  NSMutableArray* values = [NSMutableArray array];
  for (size_t i = from; i + 1 < words.size(); i += 2) {
    NSString* name = text_of(words[i]);
    NSString* value = text_of(words[i + 1]);
    [names addObject:name != nil ? (id)name : [NSNull null]];
    [values addObject:value != nil ? (id)value : [NSNull null]];
  }
  NSDictionary* plain = [NSDictionary dictionaryWithObjects:values forKeys:names];
  if ([plain count] == [names count]) return plain;
  return [[[PairList alloc] initWithNames:names values:values] autorelease];
}

// A call on a nil tracker or event answers nil; C calls that a bad argument.
std::string answer(YKStatus* status) {
  if (status == nil) return "-24 bad_argument";
  return std::to_string([status code]) + " " + [[status name] UTF8String];
}

YKConfig* config_of(const Words& words) {
  YKConfig* config = [[[YKConfig alloc] init] autorelease];
  for (size_t i = 1; i + 1 < words.size(); i += 2) {
    const std::string& name = words[i];
    NSString* text = text_of(words[i + 1]);
    const unsigned long long number = strtoull(bytes_of(words[i + 1]).c_str(), nullptr, 10);
    const NSTimeInterval seconds = static_cast<double>(number) / 1000;
    if (name == "app_id") [config setAppID:text];
    if (name == "queue_dir") [config setQueueDirectory:text];
    if (name == "lane") [config setLane:text];
    if (name == "endpoint") [config setEndpoint:text];
    if (name == "key_id") [config setKeyID:text];
    if (name == "key_secret") [config setKeySecretBase64:text];
    if (name == "app_version") [config setAppVersion:text];
    if (name == "os") [config setOs:text];
    if (name == "model") [config setModel:text];
    if (name == "locale") [config setLocale:text];
    if (name == "upload_interval_ms") [config setUploadInterval:seconds];
    if (name == "sync_interval_ms") [config setSyncInterval:seconds];
    if (name == "ring_full_wait_ms") [config setRingFullWait:seconds];
    if (name == "queue_bytes_max") [config setQueueBytesMax:number];
    if (name == "ring_bytes") [config setRingBytes:number];
    if (name == "age_max_hours") [config setAgeMaxHours:number];
    if (name == "allow_plain_http") [config setAllowsPlainHTTP:number != 0];
    if (name == "no_device_facts") [config setCollectsDeviceFacts:number == 0];
  }
  return config;
}

class Driver {
 public:
  std::string told(const Words& words) {
    const std::string& command = words[0];
    const auto word = [&words](size_t at) { return at < words.size() ? words[at] : std::string("null"); };
    const auto number = [&word](size_t at) { return strtoll(word(at).c_str(), nullptr, 10); };
    const auto seconds = [&number](size_t at) { return static_cast<double>(number(at)) / 1000; };

    if (command == "open") {
      give_back();
      tracker_ = [[YKTracker alloc] initWithConfig:config_of(words)];
      return answer([tracker_ status]);
    }
    if (command == "identify") return answer([tracker_ identify:text_of(word(1)) members:members_of(words, 2)]);
    if (command == "begin") {
      [event_ release];
      event_ = [[tracker_ event] retain];
      return "0 ok";
    }
    if (command == "location") return part([event_ location:text_of(word(1)) parameters:members_of(words, 2)]);
    if (command == "content") return part([event_ content:text_of(word(1)) members:members_of(words, 2)]);
    if (command == "referral") return part([event_ referral:text_of(word(1))]);
    if (command == "action") {
      NSString* type = text_of(word(1));
      if (number(2) == -1) return part([event_ action:type members:members_of(words, 3)]);
      return part([event_ action:type seconds:seconds(2) members:members_of(words, 3)]);
    }
    if (command == "user") return part([event_ user:members_of(words, 1)]);
    if (command == "device") return part([event_ device:members_of(words, 1)]);
    if (command == "at") return part([event_ at:[NSDate dateWithTimeIntervalSince1970:seconds(1)]]);
    if (command == "critical") return part([event_ critical]);
    if (command == "track") return answer([event_ track]);
    if (command == "track_json") return answer([tracker_ trackJSON:text_of(word(1))]);
    if (command == "consent") return answer([tracker_ setConsent:static_cast<YKConsent>(number(1))]);
    if (command == "get_consent") return std::to_string([tracker_ consent]);
    if (command == "erase") return answer([tracker_ erase]);
    if (command == "flush") return answer([tracker_ flushWithin:seconds(1)]);
    if (command == "stats") return counts([tracker_ stats]);
    if (command == "close") return answer([tracker_ closeWithin:seconds(1)]);
    if (command == "free") {
      give_back();
      return "0 ok";
    }
    if (command == "last_error") return hex_of([tracker_ lastError]);
    if (command == "version") return hex_of([YKTracker version]);
    return "unknown";
  }

  void give_back() {
    [event_ release];
    event_ = nil;
    [tracker_ release];
    tracker_ = nil;
  }

 private:
  static std::string part(YKEvent* event) { return answer([event status]); }

  static std::string counts(YKStats* stats) {
    const uint64_t all[] = {[stats accepted], [stats delivered], [stats waiting], [stats quarantined],
                            [stats evicted],  [stats erased],    [stats lost],    [stats refused]};
    std::string words;
    for (const uint64_t one : all) words += (words.empty() ? "" : " ") + std::to_string(one);
    return words;
  }

  YKTracker* tracker_ = nil;
  YKEvent* event_ = nil;
};

}  // namespace

int main() {
  Driver driver;
  std::string line;
  while (std::getline(std::cin, line)) {
    NSAutoreleasePool* pool = [[NSAutoreleasePool alloc] init];
    std::cout << driver.told(split(line)) << std::endl;
    [pool drain];
  }
  NSAutoreleasePool* pool = [[NSAutoreleasePool alloc] init];
  driver.give_back();
  [pool drain];
  return 0;
}
