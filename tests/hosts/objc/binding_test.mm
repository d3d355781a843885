// The Objective-C binding under GNUstep: every verb, bad input, threads, and what is left behind.
#import <Yukha/Yukha.h>

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <atomic>
#include <cmath>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "sink.hpp"
#include "units.hpp"

namespace {

int passed = 0;
int failed = 0;

void check(bool good, const char* what, int line) {
  if (good) {
    ++passed;
    return;
  }
  ++failed;
  fprintf(stderr, "FAIL line %d: %s\n", line, what);
}

#define CHECK(expression) check(static_cast<bool>(expression), #expression, __LINE__)
#define CHECK_CODE(status, expected) check([(status) code] == (expected), #status " is " #expected, __LINE__)

std::string scratch;  // a directory of this run's own

NSString* string_of(const std::string& utf8) {
  return [NSString stringWithUTF8String:utf8.c_str()];
}

NSString* units(std::vector<unichar> list) {
  return [[[Units alloc] initWithUnits:std::move(list)] autorelease];
}

NSString* fresh_directory() {
  static int number = 0;
  return string_of(scratch + "/" + std::to_string(++number));
}

YKConfig* config_at(NSString* directory) {
  YKConfig* config = [[[YKConfig alloc] initWithAppID:@"shop"] autorelease];
  [config setQueueDirectory:directory];
  return config;
}

YKTracker* tracker_at(NSString* directory) {
  return [[[YKTracker alloc] initWithConfig:config_at(directory)] autorelease];
}

YKConfig* sending_config(const Sink& sink) {
  YKConfig* config = config_at(fresh_directory());
  [config setEndpoint:string_of(sink.url())];
  [config setKeyID:@"app-2026-11"];
  [config setKeySecretBase64:@"c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U="];
  return config;
}

bool has(const std::string& line, const std::string& piece) {
  if (line.find(piece) != std::string::npos) return true;
  fprintf(stderr, "  %s\n  is not in %s\n", piece.c_str(), line.c_str());
  return false;
}

// The one sentence that arrives when `fill` has filled it.
std::string delivered(const std::function<void(YKEvent*)>& fill) {
  Sink sink;
  YKTracker* tracker = [[YKTracker alloc] initWithConfig:sending_config(sink)];
  YKEvent* event = [tracker event];
  fill(event);
  CHECK_CODE([event track], YKCodeOK);
  CHECK_CODE([tracker flushWithin:10], YKCodeOK);
  [tracker close];
  [tracker release];
  const std::vector<std::string> lines = sink.take();
  CHECK(lines.size() == 1);
  return lines.empty() ? "" : lines[0];
}

YKCode tracked(const std::function<void(YKEvent*)>& fill) {
  static YKTracker* tracker = [[YKTracker alloc] initWithConfig:config_at(fresh_directory())];
  YKEvent* event = [tracker event];
  fill(event);
  return [[event track] code];
}

void every_verb_reaches_the_endpoint() {
  Sink sink;
  YKConfig* config = sending_config(sink);
  [config setAppVersion:@"1.2"];
  [config setOs:@"iOS 17.4"];
  [config setModel:@"iPhone15,2"];
  [config setLocale:@"ko-KR"];
  YKTracker* tracker = [[YKTracker alloc] initWithConfig:config];
  CHECK_CODE([tracker status], YKCodeOK);
  CHECK_CODE([tracker identify:@"u_1842" members:@{@"session" : @"7"}], YKCodeOK);
  YKEvent* event = [[[[[tracker event] location:@"FEED" parameters:@{@"y" : @"3"}] content:@"card_913"
                                                                                   members:@{@"type" : @"card"}]
      referral:@"CLICK"] action:@"READ" seconds:10];
  [event user:@{@"experiment" : @"B"}];
  [event device:@{@"battery" : @"80"}];
  [event at:[NSDate dateWithTimeIntervalSince1970:1779421920.123]];
  [event critical];
  CHECK([[event status] isGood]);
  YKStatus* status = [event track];
  CHECK([status isGood] && [status isKept] && [status error] == nil && [[status name] isEqual:@"ok"]);
  CHECK_CODE([tracker trackJSON:@"{\"location\":\"CART\",\"action\":{\"type\":\"PAY\"}}"], YKCodeOK);
  CHECK_CODE([tracker flushWithin:10], YKCodeOK);

  const std::vector<std::string> lines = sink.take();
  CHECK(lines.size() == 2);
  for (const std::string& line : lines) {
    CHECK(has(line, "\"user\":{\"id\":\"u_1842\",\"session\":\"7\""));
    CHECK(has(line, "\"app_version\":\"1.2\""));
    CHECK(has(line, "\"os\":\"iOS 17.4\""));
    CHECK(has(line, "\"model\":\"iPhone15,2\""));
    CHECK(has(line, "\"locale\":\"ko-KR\""));
    if (line.find("PAY") != std::string::npos) {
      CHECK(has(line, "\"location\":\"app://shop/CART\""));
      continue;
    }
    CHECK(has(line, "\"time\":\"2026-05-22T03:52:00.123Z\""));
    CHECK(has(line, "\"experiment\":\"B\""));
    CHECK(has(line, "\"battery\":\"80\""));
    CHECK(has(line, "\"location\":\"app://shop/FEED?y=3\""));
    CHECK(has(line, "\"content\":{\"id\":\"card_913\",\"type\":\"card\"}"));
    CHECK(has(line, "\"referral\":\"CLICK\""));
    CHECK(has(line, "\"action\":{\"type\":\"READ\",\"duration_ms\":\"10000\"}"));
  }
  YKStats* stats = [tracker stats];
  CHECK([stats accepted] == 2 && [stats delivered] == 2 && [stats waiting] == 0 && [stats requests] >= 1);
  CHECK_CODE([tracker close], YKCodeOK);
  CHECK([[YKTracker version] length] >= 5);
  [tracker release];
}

void a_text_arrives_whole() {
  const unichar nul[] = {'a', 0, 'b'};
  std::string line = delivered([&](YKEvent* event) {
    [event content:[NSString stringWithCharacters:nul length:3]
           members:@{@"korean" : string_of("\xED\x95\x9C\xEA\xB8\x80"), @"emoji" : units({0xD83D, 0xDE00})}];
    [event action:@"READ" members:@{@"empty" : @""}];
  });
  CHECK(has(line, "\"id\":\"a\\u0000b\""));
  CHECK(has(line, "\"korean\":\"\xED\x95\x9C\xEA\xB8\x80\""));
  CHECK(has(line, "\"emoji\":\"\xF0\x9F\x98\x80\""));
  CHECK(has(line, "\"empty\":\"\""));

  // The binding reads 256 units at a time; a pair may lie across.
  std::vector<unichar> across(255, 'x');
  across.insert(across.end(), {0xD83D, 0xDE00});
  line = delivered([&](YKEvent* event) { [event action:units(across)]; });
  CHECK(has(line, std::string(255, 'x') + "\xF0\x9F\x98\x80\""));
}

void each_lone_surrogate_becomes_a_replacement() {
  const std::string u = "\xEF\xBF\xBD";
  const std::string line = delivered([](YKEvent* event) {
    [event action:@"READ"
          members:@{
            @"high" : units({'a', 0xD800, 'b'}),
            @"low" : units({0xDC00, 'b'}),
            @"last" : units({'a', 0xDBFF}),
            @"swapped" : units({0xDE00, 0xD83D}),
            @"mark" : units({0xFEFF}),
            @"two" : units({0xD83D, 0xD83D, 0xDE00}),
          }];
  });
  CHECK(has(line, "\"high\":\"a" + u + "b\""));
  CHECK(has(line, "\"low\":\"" + u + "b\""));
  CHECK(has(line, "\"last\":\"a" + u + "\""));
  CHECK(has(line, "\"swapped\":\"" + u + u + "\""));
  CHECK(has(line, "\"mark\":\"\xEF\xBB\xBF\""));
  CHECK(has(line, "\"two\":\"" + u + "\xF0\x9F\x98\x80\""));
}

void numbers_and_booleans_become_their_text_in_the_order_of_the_names() {
  const std::string line = delivered([](YKEvent* event) {
    [event action:@"READ"
          members:@{
            @"zebra" : @"z",
            @"price" : [NSNumber numberWithInt:12900],
            @"ratio" : [NSNumber numberWithDouble:0.1],
            @"wide" : [NSNumber numberWithUnsignedLongLong:18446744073709551615ULL],
            @"low" : [NSNumber numberWithLongLong:INT64_MIN],
            @"one" : [NSNumber numberWithInt:1],
            @"yes" : [NSNumber numberWithBool:YES],
            @"no" : [NSNumber numberWithBool:NO],
            @"exact" : [NSDecimalNumber decimalNumberWithString:@"12.50"],
          }];
  });
  CHECK(has(line, "\"action\":{\"type\":\"READ\",\"exact\":\"12.5\",\"low\":\"-9223372036854775808\",\"no\":\"false\","
                  "\"one\":\"1\",\"price\":\"12900\",\"ratio\":\"0.1\",\"wide\":\"18446744073709551615\","
                  "\"yes\":\"true\",\"zebra\":\"z\"}"));
}

void what_is_no_text_is_refused() {
  NSArray* impossible = [NSArray
      arrayWithObjects:[NSNull null], [NSArray array], [NSDictionary dictionary], [NSDate date], [NSData data], nil];
  for (id thing in impossible) {
    CHECK(tracked([&](YKEvent* event) { [event action:@"READ" members:@{@"a" : thing}]; }) == YKCodeBadArgument);
    CHECK(tracked([&](YKEvent* event) { [event action:@"READ" members:@{thing : @"a"}]; }) == YKCodeBadArgument);
    CHECK(tracked([&](YKEvent* event) { [event action:thing]; }) == YKCodeBadArgument);
    if ([thing isKindOfClass:[NSDictionary class]]) continue;
    CHECK(tracked([&](YKEvent* event) { [[event action:@"READ"] user:thing]; }) == YKCodeBadArgument);
  }
  CHECK(tracked([](YKEvent* event) { [[event action:@"READ"] at:(NSDate*)@"now"]; }) == YKCodeBadArgument);
}

void nil_is_refused_where_a_text_is_needed() {
  NSString* none = nil;
  CHECK(tracked([&](YKEvent* event) { [[event action:@"READ"] location:none]; }) == YKCodeBadArgument);
  CHECK(tracked([&](YKEvent* event) { [[event action:@"READ"] content:none]; }) == YKCodeBadArgument);
  CHECK(tracked([&](YKEvent* event) { [[event action:@"READ"] referral:none]; }) == YKCodeBadArgument);
  CHECK(tracked([&](YKEvent* event) { [event action:none]; }) == YKCodeBadArgument);
  CHECK(tracked([&](YKEvent* event) { [event action:none seconds:1]; }) == YKCodeBadArgument);
  CHECK(tracked([&](YKEvent* event) { [[event action:@"READ"] at:(NSDate*)none]; }) == YKCodeBadArgument);
  // No members are none.
  CHECK(tracked([](YKEvent* event) { [[[event action:@"READ" members:nil] user:nil] device:nil]; }) == YKCodeOK);

  YKTracker* tracker = tracker_at(fresh_directory());
  CHECK_CODE([tracker identify:none], YKCodeBadArgument);
  CHECK_CODE([tracker identify:none members:nil], YKCodeBadArgument);
  CHECK_CODE([tracker trackJSON:none], YKCodeBadArgument);
  CHECK([[[tracker identify:none] message] length] > 0);
}

void a_mistake_is_remembered_told_and_counted() {
  YKTracker* tracker = tracker_at(fresh_directory());
  NSString* none = nil;
  YKEvent* event = [[[tracker event] action:@"READ"] content:none];
  [event user:@{@"NOT A NAME" : @"x"}];
  CHECK_CODE([event status], YKCodeBadArgument);  // the first one
  YKStatus* status = [event track];
  CHECK_CODE(status, YKCodeBadArgument);
  CHECK([[tracker stats] refused] == 1 && [[tracker stats] refusedInvalid] == 1 && [[tracker stats] accepted] == 0);
  // The event is empty again.
  CHECK([[event status] isGood]);
  CHECK_CODE([[event action:@"READ"] track], YKCodeOK);
  CHECK_CODE([event track], YKCodeMissingAction);

  NSError* error = nil;
  CHECK(![status getError:&error] && error != nil);
  CHECK([[error domain] isEqual:YKErrorDomain] && [error code] == YKCodeBadArgument);
  CHECK([[error localizedDescription] isEqual:[status message]] && [[status message] length] > 0);
  CHECK([[status name] isEqual:@"bad_argument"] && [[status description] hasPrefix:@"bad_argument: "]);
  CHECK([[tracker lastError] length] > 0);
}

void the_rules_of_a_sentence_are_the_librarys() {
  CHECK(tracked([](YKEvent* event) { [event location:@"FEED"]; }) == YKCodeMissingAction);
  CHECK(tracked([](YKEvent* event) { [event action:@""]; }) == YKCodeMissingAction);
  CHECK(tracked([](YKEvent* event) { [[event action:@"A"] action:@"B"]; }) == YKCodeRepeatedMember);
  CHECK(tracked([](YKEvent* event) { [[[event action:@"A"] location:@"B"] location:@"C"]; }) == YKCodeRepeatedMember);
  CHECK(tracked([](YKEvent* event) { [event action:@"A" members:@{@"Upper" : @"x"}]; }) == YKCodeBadMemberName);
  CHECK(tracked([](YKEvent* event) { [event action:@"A" members:@{@"" : @"x"}]; }) == YKCodeBadMemberName);
  CHECK(tracked([](YKEvent* event) { [event action:@"A" members:@{@"type" : @"x"}]; }) == YKCodeReservedMember);
  CHECK(tracked([](YKEvent* event) { [[event action:@"A"] device:@{@"seq" : @"1"}]; }) == YKCodeReservedMember);
  // C's names end at NUL; "a\0b" may not become "a".
  const unichar name[] = {'a', 0, 'b'};
  NSString* split = [NSString stringWithCharacters:name length:3];
  CHECK(tracked([&](YKEvent* event) { [event action:@"A" members:@{split : @"x"}]; }) == YKCodeBadMemberName);
  CHECK(tracked([&](YKEvent* event) { [[event action:@"A"] location:@"B" parameters:@{split : @"x"}]; }) ==
        YKCodeBadMemberName);

  CHECK(tracked([](YKEvent* event) { [event action:@"A" seconds:0]; }) == YKCodeOK);
  CHECK(tracked([](YKEvent* event) { [event action:@"A" seconds:1e300]; }) == YKCodeOK);
  CHECK(tracked([](YKEvent* event) { [event action:@"A" seconds:-0.5]; }) == YKCodeBadTime);
  CHECK(tracked([](YKEvent* event) { [event action:@"A" seconds:NAN]; }) == YKCodeBadTime);
  CHECK(tracked([](YKEvent* event) { [event action:@"A" seconds:INFINITY]; }) == YKCodeBadTime);
  CHECK(tracked([](YKEvent* event) { [[event action:@"A"] at:[NSDate distantFuture]]; }) != YKCodeBadArgument);
  for (const double seconds : {1e300, -1e300, 253402300800.0, -62135596800.001}) {
    CHECK(tracked([&](YKEvent* event) { [[event action:@"A"] at:[NSDate dateWithTimeIntervalSince1970:seconds]]; }) ==
          YKCodeBadTime);
  }
}

void empty_texts_are_texts() {
  const std::string line = delivered([](YKEvent* event) {
    [[[event location:@""] content:@"" members:@{}] referral:@""];
    [event action:@"A" members:@{@"empty" : @""}];
  });
  CHECK(has(line, "\"content\":{}"));
  CHECK(has(line, "\"referral\":\"\""));
  YKTracker* tracker = tracker_at(fresh_directory());
  CHECK_CODE([tracker identify:@""], YKCodeOK);
  CHECK_CODE([tracker trackJSON:@""], YKCodeNotASentence);
  CHECK_CODE([tracker trackJSON:@"[]"], YKCodeNotASentence);
}

void ten_megabytes_are_refused() {
  NSString* large = units(std::vector<unichar>(10 * 1024 * 1024, 0xE9));
  CHECK(tracked([&](YKEvent* event) { [event action:large]; }) == YKCodeSentenceTooLarge);
  CHECK(tracked([&](YKEvent* event) { [event action:@"A" members:@{@"a" : large}]; }) == YKCodeSentenceTooLarge);
  CHECK(tracked([&](YKEvent* event) { [event action:@"A" members:@{large : @"a"}]; }) == YKCodeBadMemberName);
  CHECK(tracked([&](YKEvent* event) { [[event action:@"A"] location:large]; }) == YKCodeSentenceTooLarge);
  YKTracker* tracker = tracker_at(fresh_directory());
  CHECK(![[tracker identify:large] isGood]);
  CHECK(![[tracker trackJSON:large] isGood]);
  CHECK_CODE([[[tracker event] action:@"A"] track], YKCodeOK);

  NSMutableDictionary* many = [NSMutableDictionary dictionary];
  for (int i = 0; i < 100000; ++i) [many setObject:@"x" forKey:[NSString stringWithFormat:@"m%d", i]];
  CHECK(tracked([&](YKEvent* event) { [event action:@"A" members:many]; }) == YKCodeSentenceTooLarge);
}

void after_close_every_call_is_refused() {
  YKTracker* tracker = tracker_at(fresh_directory());
  YKEvent* before = [[tracker event] action:@"A"];
  CHECK_CODE([tracker close], YKCodeOK);
  CHECK_CODE([tracker close], YKCodeOK);
  CHECK_CODE([tracker closeWithin:0], YKCodeOK);
  CHECK_CODE([before track], YKCodeClosed);
  CHECK_CODE([[[tracker event] action:@"A"] track], YKCodeClosed);
  CHECK_CODE([tracker trackJSON:@"{\"action\":{\"type\":\"A\"}}"], YKCodeClosed);
  CHECK_CODE([tracker identify:@"u"], YKCodeClosed);
  CHECK_CODE([tracker setConsent:YKConsentDenied], YKCodeClosed);
  CHECK_CODE([tracker erase], YKCodeClosed);
  CHECK_CODE([tracker flushWithin:1], YKCodeClosed);
  CHECK([[tracker stats] refusedClosed] == 3);
  CHECK([tracker workWithin:0] < 0);
  CHECK([[tracker lastError] length] > 0);
}

void a_tracker_that_goes_away_is_closed_and_loses_nothing() {
  NSString* directory = fresh_directory();
  YKTracker* tracker = [[YKTracker alloc] initWithConfig:config_at(directory)];
  CHECK_CODE([[[tracker event] action:@"A"] track], YKCodeOK);
  [tracker release];
  // An event may outlive its tracker, and learns that it is closed; the lane is free.
  NSAutoreleasePool* pool = [[NSAutoreleasePool alloc] init];
  YKTracker* next = [[YKTracker alloc] initWithConfig:config_at(directory)];
  CHECK_CODE([next status], YKCodeOK);
  CHECK([[next stats] accepted] == 1 && [[next stats] waiting] == 1);
  YKEvent* event = [[next event] retain];
  [event action:@"A"];
  [next release];
  [pool drain];
  CHECK_CODE([event track], YKCodeClosed);
  YKConfig* same_lane = config_at(directory);
  YKTracker* last = [[[YKTracker alloc] initWithConfig:same_lane] autorelease];
  CHECK([[last stats] accepted] == 1);
  [event release];
}

YKStatus* opening(const std::function<void(YKConfig*)>& change) {
  YKConfig* config = config_at(fresh_directory());
  change(config);
  YKTracker* tracker = [[[YKTracker alloc] initWithConfig:config] autorelease];
  // It can be called all the same.
  YKStatus* status = [[[tracker event] action:@"A"] track];
  CHECK([status isGood] == [[tracker status] isGood]);
  CHECK([[status message] length] > 0 || [status isKept]);
  [tracker close];
  return [tracker status];
}

void a_config_that_cannot_be_used_says_why() {
  CHECK_CODE(opening([](YKConfig*) {}), YKCodeOK);
  CHECK_CODE(opening([](YKConfig* config) { [config setAppID:nil]; }), YKCodeBadConfig);
  CHECK_CODE(opening([](YKConfig* config) { [config setAppID:@"Not An Id"]; }), YKCodeBadConfig);
  CHECK_CODE(opening([](YKConfig* config) { [config setQueueDirectory:nil]; }), YKCodeBadConfig);
  CHECK_CODE(opening([](YKConfig* config) { [config setLane:@"Not A Lane"]; }), YKCodeBadConfig);
  CHECK_CODE(opening([](YKConfig* config) { [config setEndpoint:@"ftp://a"]; }), YKCodeBadEndpoint);
  CHECK_CODE(opening([](YKConfig* config) {
               [config setEndpoint:@"https://a.example"];
               [config setKeyID:@"k"];
               [config setKeySecretBase64:@"?"];
             }),
             YKCodeBadKey);
  CHECK_CODE(opening([](YKConfig* config) {
               [config setEndpoint:@"http://a.example"];
               [config setKeyID:@"k"];
               [config setKeySecretBase64:@"c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U="];
             }),
             YKCodePlainHTTP);
  CHECK_CODE(opening([](YKConfig* config) { [config setQueueDirectory:@"/proc/yukha"]; }), YKCodeKeptInMemory);
  for (const double seconds : {-1.0, 1e-9, 1e300, std::nan(""), -HUGE_VAL}) {
    CHECK_CODE(opening([&](YKConfig* config) { [config setUploadInterval:seconds]; }), YKCodeBadConfig);
    CHECK_CODE(opening([&](YKConfig* config) { [config setSyncInterval:seconds]; }), YKCodeBadConfig);
    if (seconds == 1e-9) continue;  // 1 ms, a wait like any other
    CHECK_CODE(opening([&](YKConfig* config) { [config setRingFullWait:seconds]; }), YKCodeBadConfig);
  }
  CHECK_CODE(opening([](YKConfig* config) { [config setAgeMaxHours:NSUIntegerMax]; }), YKCodeBadConfig);
  CHECK_CODE(opening([](YKConfig* config) { [config setRingBytes:UINT64_MAX]; }), YKCodeBadConfig);
  CHECK_CODE(opening([](YKConfig* config) { [config setQueueBytesMax:1]; }), YKCodeBadConfig);
  const unichar nul[] = {'a', 0, 'b'};
  NSString* cut = [NSString stringWithCharacters:nul length:3];
  CHECK_CODE(opening([&](YKConfig* config) { [config setAppID:cut]; }), YKCodeBadConfig);
  CHECK_CODE(opening([&](YKConfig* config) { [config setModel:cut]; }), YKCodeBadConfig);
  CHECK_CODE(opening([](YKConfig* config) { [config setLane:(NSString*)[NSNull null]]; }), YKCodeBadArgument);

  YKConfig* none = nil;
  YKTracker* tracker = [[[YKTracker alloc] initWithConfig:none] autorelease];
  CHECK_CODE([tracker status], YKCodeBadArgument);
  CHECK_CODE([[[tracker event] action:@"A"] track], YKCodeNotOpen);
  CHECK_CODE([tracker close], YKCodeNotOpen);
}

void a_shared_container_is_refused_with_the_reason() {
  NSString* shared = [fresh_directory() stringByAppendingString:@"/Containers/Shared/AppGroup/8A7C/Library/yukha"];
  YKTracker* tracker = tracker_at(shared);
  CHECK_CODE([tracker status], YKCodeBadConfig);
  CHECK([[[tracker status] message] rangeOfString:@"app group"].location != NSNotFound);
  CHECK(![[[[tracker event] action:@"A"] track] isGood]);
  // Nor through a link.
  [[NSFileManager defaultManager] createDirectoryAtPath:shared
                            withIntermediateDirectories:YES
                                             attributes:nil
                                                  error:NULL];
  NSString* link = fresh_directory();
  CHECK(symlink([shared fileSystemRepresentation], [link fileSystemRepresentation]) == 0);
  CHECK_CODE([tracker_at(link) status], YKCodeBadConfig);
}

void consent_and_erase_are_obeyed() {
  YKTracker* tracker = tracker_at(fresh_directory());
  CHECK([tracker consent] == YKConsentGranted);
  CHECK_CODE([[[tracker event] action:@"A"] track], YKCodeOK);
  CHECK_CODE([tracker setConsent:YKConsentPending], YKCodeOK);
  CHECK([tracker consent] == YKConsentPending);
  CHECK_CODE([[[tracker event] action:@"A"] track], YKCodeOK);
  CHECK_CODE([tracker erase], YKCodeOK);
  CHECK([[tracker stats] erased] == 2 && [[tracker stats] waiting] == 0);
  CHECK_CODE([tracker setConsent:YKConsentDenied], YKCodeOK);
  YKStatus* denied = [[[tracker event] action:@"A"] track];
  CHECK_CODE(denied, YKCodeConsentDenied);
  CHECK([[tracker lastError] isEqual:[denied message]]);
  CHECK([[tracker stats] refusedConsent] == 1);
  CHECK_CODE([tracker setConsent:(YKConsent)7], YKCodeBadArgument);
  CHECK_CODE([tracker setConsent:(YKConsent)0x100000000LL], YKCodeBadArgument);
  CHECK([tracker consent] == YKConsentDenied);
}

void a_deadline_is_kept() {
  YKConfig* config = config_at(fresh_directory());
  [config setEndpoint:@"http://127.0.0.1:9"];
  [config setKeyID:@"k"];
  [config setKeySecretBase64:@"c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U="];
  YKTracker* tracker = [[[YKTracker alloc] initWithConfig:config] autorelease];
  CHECK_CODE([[[tracker event] action:@"A"] track], YKCodeOK);
  for (const double seconds : {0.0, -1.0, std::nan(""), 0.05}) {
    YKStatus* status = [tracker flushWithin:seconds];
    CHECK_CODE(status, YKCodeStillWaiting);
    CHECK([status isGood] && [status error] == nil && ![status isKept]);
  }
  CHECK([[tracker closeWithin:INFINITY] isGood]);
}

void a_host_without_a_thread_works_by_itself() {
  Sink sink;
  YKConfig* config = sending_config(sink);
  [config setUsesThread:NO];
  [config setUploadInterval:0.1];
  YKTracker* tracker = [[[YKTracker alloc] initWithConfig:config] autorelease];
  CHECK_CODE([[[tracker event] action:@"A"] track], YKCodeOK);
  for (int turn = 0; turn < 200 && [[tracker stats] delivered] == 0; ++turn) [tracker workWithin:0.05];
  CHECK([[tracker stats] delivered] == 1);
  CHECK(sink.take().size() == 1);
}

// Foundation wants to know a thread that it did not start.
std::thread started(std::function<void()> work) {
  return std::thread([work = std::move(work)] {
    GSRegisterCurrentThread();
    NSAutoreleasePool* pool = [[NSAutoreleasePool alloc] init];
    work();
    [pool drain];
    GSUnregisterCurrentThread();
  });
}

void eight_threads_call_while_another_closes() {
  for (int round = 0; round < 20; ++round) {
    NSAutoreleasePool* pool = [[NSAutoreleasePool alloc] init];
    YKTracker* tracker = [[YKTracker alloc] initWithConfig:config_at(fresh_directory())];
    std::atomic<uint64_t> kept{0};
    std::atomic<uint64_t> refused{0};
    std::atomic<uint64_t> odd{0};
    std::vector<std::thread> threads;
    for (int number = 0; number < 8; ++number) {
      threads.push_back(started([&, number] {
        for (int i = 0; i < 400; ++i) {
          NSAutoreleasePool* inner = [[NSAutoreleasePool alloc] init];
          YKStatus* status = nil;
          if (i % 4 == 0) {
            status = [tracker trackJSON:@"{\"action\":{\"type\":\"A\"}}"];
          } else {
            status = [[[tracker event] action:@"A" members:@{@"n" : [NSNumber numberWithInt:i]}] track];
          }
          if ([status isKept]) {
            ++kept;
          } else if ([status code] == YKCodeClosed || [status code] == YKCodeRingFull) {
            ++refused;
          } else {
            ++odd;
          }
          if (i % 16 == number) {
            [tracker identify:@"u_1842" members:@{@"a" : @"b"}];
            [tracker stats];
            [[tracker lastError] length];
            [tracker consent];
          }
          [inner drain];
        }
      }));
    }
    threads.push_back(started([&] {
      [NSThread sleepForTimeInterval:0.0005 * round];
      if (![[tracker closeWithin:1] isGood]) ++odd;
    }));
    for (std::thread& thread : threads) thread.join();
    CHECK(odd == 0);
    YKStats* stats = [tracker stats];
    CHECK([stats accepted] == kept);
    CHECK([stats refused] == refused);
    [tracker release];
    [pool drain];
  }
}

size_t entries_of(const char* directory) {
  size_t count = 0;
  DIR* open = opendir(directory);
  while (readdir(open) != nullptr) ++count;
  closedir(open);
  return count;
}

size_t resident_kib() {
  FILE* file = fopen("/proc/self/status", "r");
  char line[256];
  size_t kib = 0;
  while (fgets(line, sizeof line, file) != nullptr) {
    if (sscanf(line, "VmRSS: %zu", &kib) == 1) break;
  }
  fclose(file);
  return kib;
}

void a_thousand_trackers_leave_nothing_behind() {
  NSString* directory = fresh_directory();
  const auto open_and_drop = [&](int count) {
    for (int i = 0; i < count; ++i) {
      NSAutoreleasePool* pool = [[NSAutoreleasePool alloc] init];
      YKTracker* tracker = [[YKTracker alloc] initWithConfig:config_at(directory)];
      CHECK([[tracker status] isGood]);
      YKEvent* event = [[tracker event] action:@"A" members:@{@"i" : [NSNumber numberWithInt:i]}];
      if (i % 2 == 0) CHECK([[event track] isKept]);
      if (i % 4 == 0) [tracker close];
      [tracker release];
      [pool drain];
    }
  };
  open_and_drop(100);  // what the system's libraries keep for good, they take now
  const size_t handles = entries_of("/proc/self/fd");
  const size_t threads = entries_of("/proc/self/task");
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  const int times_max = 0;  // it keeps freed memory on purpose
  open_and_drop(1000);
#else
  const int times_max = 4;
#endif
  // The allocator takes a megabyte more when it likes. A kilobyte that each leaves is a megabyte each time.
  bool has_grown = times_max > 0;
  for (int times = 0; times < times_max && has_grown; ++times) {
    const size_t kib = resident_kib();
    open_and_drop(1000);
    const size_t kib_after = resident_kib();
    has_grown = kib_after > kib + 500;
    printf("1,000 trackers: resident %zu to %zu KiB\n", kib, kib_after);
  }
  CHECK(entries_of("/proc/self/fd") == handles);
  CHECK(entries_of("/proc/self/task") == threads);
  CHECK(!has_grown);
}

}  // namespace

int main() {
  NSAutoreleasePool* pool = [[NSAutoreleasePool alloc] init];
  GSRegisterCurrentThread();
  char place[] = "/tmp/yukha-objc-XXXXXX";
  if (mkdtemp(place) == nullptr) return 2;
  scratch = place;

  const struct {
    const char* promise;
    void (*test)();
  } tests[] = {
#define TEST(name) {#name, name}
      // First, while the heap is small and has no room to hide a leak in.
      TEST(a_thousand_trackers_leave_nothing_behind),
      TEST(every_verb_reaches_the_endpoint),
      TEST(a_text_arrives_whole),
      TEST(each_lone_surrogate_becomes_a_replacement),
      TEST(numbers_and_booleans_become_their_text_in_the_order_of_the_names),
      TEST(what_is_no_text_is_refused),
      TEST(nil_is_refused_where_a_text_is_needed),
      TEST(a_mistake_is_remembered_told_and_counted),
      TEST(the_rules_of_a_sentence_are_the_librarys),
      TEST(empty_texts_are_texts),
      TEST(ten_megabytes_are_refused),
      TEST(after_close_every_call_is_refused),
      TEST(a_tracker_that_goes_away_is_closed_and_loses_nothing),
      TEST(a_config_that_cannot_be_used_says_why),
      TEST(a_shared_container_is_refused_with_the_reason),
      TEST(consent_and_erase_are_obeyed),
      TEST(a_deadline_is_kept),
      TEST(a_host_without_a_thread_works_by_itself),
      TEST(eight_threads_call_while_another_closes),
#undef TEST
  };
  for (const auto& test : tests) {
    NSAutoreleasePool* inner = [[NSAutoreleasePool alloc] init];
    const int before = failed;
    @try {
      test.test();
    } @catch (NSException* exception) {
      ++failed;
      fprintf(stderr, "FAIL thrown: %s\n", [[exception description] UTF8String]);
    }
    [inner drain];
    if (failed != before) fprintf(stderr, "FAIL %s\n", test.promise);
  }
  [[NSFileManager defaultManager] removeItemAtPath:string_of(scratch) error:NULL];
  printf("%d passed, %d failed\n", passed, failed);
  [pool drain];
  return failed == 0 ? 0 : 1;
}
