// Yukha.h over yukha.h: maps names and types, holds no logic. Builds with ARC and without.
#import <Yukha/Yukha.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yukha/yukha.h>

#if __has_include(<TargetConditionals.h>)
#include <TargetConditionals.h>
#endif

#if __has_feature(objc_arc)
#define YK_RETAIN(object) (object)
#define YK_RELEASE(object) ((void)0)
#define YK_AUTORELEASE(object) (object)
#define YK_SUPER_DEALLOC() ((void)0)
#else
#define YK_RETAIN(object) [(object) retain]
#define YK_RELEASE(object) [(object) release]
#define YK_AUTORELEASE(object) [(object) autorelease]
#define YK_SUPER_DEALLOC() [super dealloc]
#endif

NSString* const YKErrorDomain = @"yukha";

// The header repeats the numbers, so that it need not include C's.
static_assert(YKCodeOK == YUKHA_OK && YKCodeKeptInMemory == YUKHA_KEPT_IN_MEMORY &&
                  YKCodeStillWaiting == YUKHA_STILL_WAITING && YKCodeCutShort == YUKHA_CUT_SHORT &&
                  YKCodeTooShort == YUKHA_TOO_SHORT && YKCodeSampledOut == YUKHA_SAMPLED_OUT &&
                  YKCodeStoppedByPolicy == YUKHA_STOPPED_BY_POLICY,
              "");
static_assert(YKCodeRingFull == YUKHA_RING_FULL && YKCodeClosed == YUKHA_CLOSED && YKCodeNotOpen == YUKHA_NOT_OPEN &&
                  YKCodeConsentDenied == YUKHA_CONSENT_DENIED && YKCodeForkedChild == YUKHA_FORKED_CHILD,
              "");
static_assert(YKCodeSentenceTooLarge == YUKHA_SENTENCE_TOO_LARGE && YKCodeBadMemberName == YUKHA_BAD_MEMBER_NAME &&
                  YKCodeReservedMember == YUKHA_RESERVED_MEMBER && YKCodeRepeatedMember == YUKHA_REPEATED_MEMBER,
              "");
static_assert(YKCodeMissingAction == YUKHA_MISSING_ACTION && YKCodeBadTime == YUKHA_BAD_TIME &&
                  YKCodeAlreadyTracked == YUKHA_ALREADY_TRACKED && YKCodeNotASentence == YUKHA_NOT_A_SENTENCE &&
                  YKCodeTooManyMembers == YUKHA_TOO_MANY_MEMBERS &&
                  YKCodeTooManyTimedEvents == YUKHA_TOO_MANY_TIMED_EVENTS,
              "");
static_assert(YKCodeBadConfig == YUKHA_BAD_CONFIG && YKCodeBadKey == YUKHA_BAD_KEY &&
                  YKCodeBadEndpoint == YUKHA_BAD_ENDPOINT && YKCodePlainHTTP == YUKHA_PLAIN_HTTP &&
                  YKCodeBadArgument == YUKHA_BAD_ARGUMENT,
              "");
static_assert(YKCodeLaneHeld == YUKHA_LANE_HELD && YKCodeNoFreeLane == YUKHA_NO_FREE_LANE &&
                  YKCodeNewerFormat == YUKHA_NEWER_FORMAT && YKCodeDiskFull == YUKHA_DISK_FULL &&
                  YKCodeDiskError == YUKHA_DISK_ERROR && YKCodeOutOfMemory == YUKHA_OUT_OF_MEMORY &&
                  YKCodeNoRandomness == YUKHA_NO_RANDOMNESS,
              "");
static_assert(YKConsentGranted == YUKHA_GRANTED && YKConsentPending == YUKHA_PENDING && YKConsentDenied == YUKHA_DENIED,
              "");

// The C handle, which must outlive the tracker's events: they hold it too.
@interface YKTrackerHandle : NSObject {
 @public
  yukha_tracker* tracker;
}
@end

@implementation YKTrackerHandle
- (void)dealloc {
  yukha_free(tracker);
  YK_SUPER_DEALLOC();
}
@end

@interface YKStatus ()
- (instancetype)initWithCode:(YKCode)code message:(NSString*)message;
@end

@interface YKStats ()
- (instancetype)initWithStats:(const yukha_stats*)from;
@end

@interface YKEvent ()
- (instancetype)initWithHandle:(YKTrackerHandle*)handle;
@end

namespace {

constexpr NSTimeInterval close_seconds = 2;  // as Tracker::close in tracker.hpp has it

// Whole milliseconds. Beyond 2^53 a double counts no longer one by one; nothing that is meant lies there, and the sum
// with a clock must not overflow. NaN is the most negative one.
int64_t milliseconds_of(NSTimeInterval seconds) {
  constexpr double limit = 9007199254740992.0;
  const double scaled = seconds * 1000;
  if (!(scaled > -limit)) return -static_cast<int64_t>(limit);
  return scaled < limit ? llround(scaled) : static_cast<int64_t>(limit);
}

// An interval of a config. 0 leaves the default, so a shorter one than a millisecond may not become 0; what C's field
// cannot hold becomes its largest value, which the library refuses by the setting's name.
uint32_t interval_of(NSTimeInterval seconds) {
  if (seconds == 0) return 0;
  const int64_t ms = milliseconds_of(seconds);
  if (ms == 0) return seconds > 0 ? 1 : UINT32_MAX;
  return ms < 0 || ms > UINT32_MAX ? UINT32_MAX : static_cast<uint32_t>(ms);
}

char* put_code_point(uint32_t point, char* out) {
  const auto put = [&out](uint32_t byte) { *out++ = static_cast<char>(byte); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | (point >> 6));
    put(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    put(0xE0 | (point >> 12));
    put(0x80 | ((point >> 6) & 0x3F));
    put(0x80 | (point & 0x3F));
  } else {
    put(0xF0 | (point >> 18));
    put(0x80 | ((point >> 12) & 0x3F));
    put(0x80 | ((point >> 6) & 0x3F));
    put(0x80 | (point & 0x3F));
  }
  return out;
}

// Foundation's own conversions stop at NUL (UTF8String) or give nil for a lone surrogate. Writes at most three bytes
// for each of `length` units, and returns the end.
char* put_utf8(NSString* string, NSUInteger length, char* out) {
  constexpr uint32_t replacement = 0xFFFD;
  unichar units[256];
  uint32_t high = 0;  // a high surrogate whose other half may be in the next units
  for (NSUInteger done = 0; done < length;) {
    const NSUInteger count = length - done < 256 ? length - done : 256;
    [string getCharacters:units range:NSMakeRange(done, count)];
    for (NSUInteger i = 0; i < count; ++i) {
      const uint32_t unit = units[i];
      const bool is_low = unit >= 0xDC00 && unit <= 0xDFFF;
      if (high != 0 && is_low) {
        out = put_code_point(0x10000 + ((high - 0xD800) << 10) + (unit - 0xDC00), out);
        high = 0;
        continue;
      }
      if (high != 0) out = put_code_point(replacement, out);
      high = unit >= 0xD800 && unit <= 0xDBFF ? unit : 0;
      if (high == 0) out = put_code_point(is_low ? replacement : unit, out);
    }
    done += count;
  }
  return high != 0 ? put_code_point(replacement, out) : out;
}

struct Text {
  const char* bytes = nullptr;
  size_t size = 0;
};

struct Members {
  const yukha_member* first = nullptr;
  size_t count = 0;
};

int by_name(const void* left, const void* right) {
  return strcmp(static_cast<const yukha_member*>(left)->name, static_cast<const yukha_member*>(right)->name);
}

bool is_boolean(NSNumber* number) {
  // Both runtimes have a class of their own for what numberWithBool: gives, and JSON's and Swift's booleans are of it.
  return [number isKindOfClass:[[NSNumber numberWithBool:YES] class]];
}

// The UTF-8 that C borrows for one call, and the first thing that could not be given to it.
class Borrowed {
 public:
  Borrowed() = default;
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  ~Borrowed() {
    while (blocks_ != nullptr) {
      Block* next = blocks_->next;
      free(blocks_);
      blocks_ = next;
    }
  }

  yukha_result problem() const { return problem_; }
  const char* why() const { return why_; }

  // Ends with NUL, so that the empty text is one for C, too.
  Text text(NSString* string) {
    if (![string isKindOfClass:[NSString class]]) {
      refuse(YUKHA_BAD_ARGUMENT, "a text is nil or no NSString");
      return {};
    }
    const NSUInteger length = [string length];
    char* begin = length > (SIZE_MAX - 1) / 3 ? nullptr : static_cast<char*>(room(length * 3 + 1, 1));
    if (begin == nullptr) return {};
    char* end = put_utf8(string, length, begin);
    *end = '\0';
    give_back(end + 1);
    return {begin, static_cast<size_t>(end - begin)};
  }

  // For what C takes without a size.
  const char* name(NSString* string, yukha_result problem, const char* why) {
    const Text given = text(string);
    if (given.bytes != nullptr && strlen(given.bytes) != given.size) refuse(problem, why);
    return given.bytes;
  }

  Members members(NSDictionary* dictionary) {
    if (dictionary == nil) return {};
    if (![dictionary isKindOfClass:[NSDictionary class]]) {
      refuse(YUKHA_BAD_ARGUMENT, "the members are no NSDictionary");
      return {};
    }
    const size_t count = [dictionary count];
    auto* list = static_cast<yukha_member*>(room((count + 1) * sizeof(yukha_member), alignof(yukha_member)));
    if (list == nullptr) return {};
    size_t filled = 0;
    for (id key in dictionary) {
      if (problem_ != YUKHA_OK || filled == count) break;
      id value = [dictionary objectForKey:key];
      if ([value isKindOfClass:[NSNumber class]]) {
        value = is_boolean(value) ? ([value boolValue] ? @"true" : @"false") : [value stringValue];
      } else if (![value isKindOfClass:[NSString class]]) {
        refuse(YUKHA_BAD_ARGUMENT, "a member's value is neither NSString nor NSNumber");
        break;
      }
      yukha_member& member = list[filled++];
      member.name = name(key, YUKHA_BAD_MEMBER_NAME, "a member's name holds NUL");
      const Text given = text(value);
      member.value = given.bytes;
      member.value_size = given.size;
    }
    if (problem_ != YUKHA_OK) return {};
    qsort(list, filled, sizeof *list, by_name);
    return {list, filled};
  }

 private:
  struct Block {
    Block* next;
  };

  void refuse(yukha_result problem, const char* why) {
    if (problem_ != YUKHA_OK) return;
    problem_ = problem;
    why_ = why;
  }

  void* room(size_t bytes, size_t alignment) {
    const auto misplaced = reinterpret_cast<uintptr_t>(at_) % alignment;
    const size_t gap = misplaced == 0 ? 0 : alignment - misplaced;
    if (bytes > static_cast<size_t>(end_ - at_) || gap > static_cast<size_t>(end_ - at_) - bytes) {
      auto* block = bytes > SIZE_MAX - sizeof(Block) ? nullptr : static_cast<Block*>(malloc(sizeof(Block) + bytes));
      if (block == nullptr) {
        refuse(YUKHA_OUT_OF_MEMORY, "there is no memory left");
        return nullptr;
      }
      block->next = blocks_;
      blocks_ = block;
      at_ = reinterpret_cast<char*>(block + 1);
      end_ = at_ + bytes;
    } else {
      at_ += gap;
    }
    char* begin = at_;
    at_ += bytes;
    return begin;
  }

  void give_back(char* from) { at_ = from; }

  char here_[1024];  // most sentences need no more
  char* at_ = here_;
  char* end_ = here_ + sizeof here_;
  Block* blocks_ = nullptr;
  yukha_result problem_ = YUKHA_OK;
  const char* why_ = "";
};

NSString* string_of(const char* utf8, size_t size) {
  NSString* string = [[NSString alloc] initWithBytes:utf8 length:size encoding:NSUTF8StringEncoding];
  // A message that is cut inside a character is worth more than none.
  if (string == nil) string = [[NSString alloc] initWithBytes:utf8 length:size encoding:NSISOLatin1StringEncoding];
  return YK_AUTORELEASE(string);
}

NSString* last_error_of(yukha_tracker* tracker) {
  char few[512];
  size_t size = yukha_last_error(tracker, few, sizeof few);
  NSString* message = nil;
  if (size < sizeof few) {
    message = string_of(few, size);
  } else {
    // Another thread may leave a longer message in the meantime; what does not fit any more is cut.
    char* many = static_cast<char*>(malloc(size + 1));
    if (many != nullptr) {
      yukha_last_error(tracker, many, size + 1);
      message = string_of(many, strlen(many));
      free(many);
    }
  }
  return message != nil ? message : @"";
}

YKStatus* status_of(yukha_result code, NSString* message) {
  return YK_AUTORELEASE([[YKStatus alloc] initWithCode:static_cast<YKCode>(code) message:message]);
}

// What C answered about this tracker.
YKStatus* answer(YKTrackerHandle* handle, yukha_result code) {
  if (code == YUKHA_OK) {
    static YKStatus* good = [[YKStatus alloc] initWithCode:YKCodeOK message:@""];
    return good;
  }
  return status_of(code, handle != nil ? last_error_of(handle->tracker) : @"");
}

// What could not be given to C.
YKStatus* refusal(const Borrowed& borrowed) {
  return status_of(borrowed.problem(), string_of(borrowed.why(), strlen(borrowed.why())));
}

yukha_tracker* tracker_of(YKTrackerHandle* handle) {
  return handle != nil ? handle->tracker : nullptr;
}

// iOS ends a suspended app that holds a lock on a file which other processes can reach (0xdead10cc), and a queue's lane
// is such a lock.
bool is_shared_container(NSString* path) {
  NSString* const shared = @"/Containers/Shared/AppGroup/";
  return [path rangeOfString:shared].location != NSNotFound ||
         [[path stringByResolvingSymlinksInPath] rangeOfString:shared].location != NSNotFound;
}

// The directory of the config, or Apple's place for one. It is made here, because only what exists can be marked: a
// queue that comes back from a backup would send again what was sent. Whether it can be used, the library finds out and
// says.
NSString* prepared_directory(YKConfig* config) {
  NSString* path = [config queueDirectory];
#if TARGET_OS_MAC
  if (path == nil) {
    NSString* support =
        [NSSearchPathForDirectoriesInDomains(NSApplicationSupportDirectory, NSUserDomainMask, YES) firstObject];
    // On macOS the folder belongs to all apps of the user.
    NSString* own = [[NSBundle mainBundle] bundleIdentifier];
    if (own == nil) own = [[NSProcessInfo processInfo] processName];
    path = [[support stringByAppendingPathComponent:own] stringByAppendingPathComponent:@"yukha"];
  }
  if (path == nil || is_shared_container(path)) return path;
  NSDictionary* attributes = nil;
#if TARGET_OS_IPHONE
  // Files made in a directory take its protection. This one lets sentences be kept while the device is locked.
  attributes = [NSDictionary dictionaryWithObject:NSFileProtectionCompleteUntilFirstUserAuthentication
                                           forKey:NSFileProtectionKey];
#endif
  NSFileManager* files = [NSFileManager defaultManager];
  [files createDirectoryAtPath:path withIntermediateDirectories:YES attributes:attributes error:NULL];
  if (attributes != nil) [files setAttributes:attributes ofItemAtPath:path error:NULL];
  [[NSURL fileURLWithPath:path isDirectory:YES] setResourceValue:[NSNumber numberWithBool:YES]
                                                          forKey:NSURLIsExcludedFromBackupKey
                                                           error:NULL];
#endif
  return path;
}

}  // namespace

@implementation YKStatus
@synthesize code = _code, message = _message;

- (instancetype)initWithCode:(YKCode)code message:(NSString*)message {
  self = [super init];
  if (self != nil) {
    _code = code;
    _message = [message copy];
  }
  return self;
}

- (void)dealloc {
  YK_RELEASE(_message);
  YK_SUPER_DEALLOC();
}

- (BOOL)isGood {
  return _code >= 0;
}

- (BOOL)isKept {
  return _code == YKCodeOK;
}

- (NSString*)name {
  const char* name = yukha_result_name(static_cast<yukha_result>(_code));
  return string_of(name, strlen(name));
}

- (NSError*)error {
  if (_code >= 0) return nil;
  NSString* text = [_message length] > 0 ? _message : [self name];
  NSDictionary* info = [NSDictionary dictionaryWithObject:text forKey:NSLocalizedDescriptionKey];
  return [NSError errorWithDomain:YKErrorDomain code:_code userInfo:info];
}

- (BOOL)getError:(NSError**)error {
  if (error != NULL) *error = [self error];
  return _code >= 0;
}

- (NSString*)description {
  return [_message length] > 0 ? [NSString stringWithFormat:@"%@: %@", [self name], _message] : [self name];
}

@end

@implementation YKConfig
@synthesize appID = _appID, queueDirectory = _queueDirectory, lane = _lane, endpoint = _endpoint, keyID = _keyID;
@synthesize keySecretBase64 = _keySecretBase64, appVersion = _appVersion, os = _os, model = _model, locale = _locale;
@synthesize allowsPlainHTTP = _allowsPlainHTTP, collectsDeviceFacts = _collectsDeviceFacts, usesThread = _usesThread;
@synthesize uploadInterval = _uploadInterval, syncInterval = _syncInterval, ringFullWait = _ringFullWait;
@synthesize ageMaxHours = _ageMaxHours, ringBytes = _ringBytes, queueBytesMax = _queueBytesMax;

- (instancetype)init {
  self = [super init];
  if (self != nil) {
    _collectsDeviceFacts = YES;
    _usesThread = YES;
#if TARGET_OS_IPHONE
    _syncInterval = 5;
#endif
  }
  return self;
}

- (instancetype)initWithAppID:(NSString*)appID {
  self = [self init];
  if (self != nil) _appID = [appID copy];
  return self;
}

- (void)dealloc {
  YK_RELEASE(_appID);
  YK_RELEASE(_queueDirectory);
  YK_RELEASE(_lane);
  YK_RELEASE(_endpoint);
  YK_RELEASE(_keyID);
  YK_RELEASE(_keySecretBase64);
  YK_RELEASE(_appVersion);
  YK_RELEASE(_os);
  YK_RELEASE(_model);
  YK_RELEASE(_locale);
  YK_SUPER_DEALLOC();
}

@end

@implementation YKStats
@synthesize accepted = _accepted, delivered = _delivered, waiting = _waiting, quarantined = _quarantined;
@synthesize evicted = _evicted, erased = _erased, lost = _lost, refused = _refused, requests = _requests;
@synthesize refusedRingFull = _refusedRingFull, refusedConsent = _refusedConsent, refusedInvalid = _refusedInvalid;
@synthesize refusedClosed = _refusedClosed, failures = _failures, nextAttempt = _nextAttempt;

- (instancetype)initWithStats:(const yukha_stats*)from {
  self = [super init];
  if (self != nil) {
    _accepted = from->accepted;
    _delivered = from->delivered;
    _waiting = from->waiting;
    _quarantined = from->quarantined;
    _evicted = from->evicted;
    _erased = from->erased;
    _lost = from->lost;
    _refused = from->refused;
    _refusedRingFull = from->refused_ring_full;
    _refusedConsent = from->refused_consent;
    _refusedInvalid = from->refused_invalid;
    _refusedClosed = from->refused_closed;
    _requests = from->requests;
    _failures = from->failures;
    _nextAttempt = static_cast<double>(from->next_attempt_ms) / 1000;
  }
  return self;
}

@end

@implementation YKEvent

- (instancetype)initWithHandle:(YKTrackerHandle*)handle {
  self = [super init];
  if (self != nil) {
    _handle = YK_RETAIN(handle);
    _event = yukha_event_new(tracker_of(handle));
  }
  return self;
}

- (void)dealloc {
  yukha_event_free(_event);
  YK_RELEASE(_handle);
  YK_RELEASE(_mistake);
  YK_SUPER_DEALLOC();
}

// The first mistake stays.
- (instancetype)answered:(YKStatus*)status {
  if (_mistake == nil && ![status isGood]) _mistake = YK_RETAIN(status);
  return self;
}

- (instancetype)location:(NSString*)screen {
  return [self location:screen parameters:nil];
}

- (instancetype)location:(NSString*)screen parameters:(NSDictionary*)parameters {
  Borrowed borrowed;
  const Text where = borrowed.text(screen);
  const Members list = borrowed.members(parameters);
  if (borrowed.problem() != YUKHA_OK) return [self answered:refusal(borrowed)];
  return [self answered:answer(_handle, yukha_event_location(_event, where.bytes, where.size, list.first, list.count))];
}

- (instancetype)content:(NSString*)contentID {
  return [self content:contentID members:nil];
}

- (instancetype)content:(NSString*)contentID members:(NSDictionary*)members {
  Borrowed borrowed;
  const Text what = borrowed.text(contentID);
  const Members list = borrowed.members(members);
  if (borrowed.problem() != YUKHA_OK) return [self answered:refusal(borrowed)];
  return [self answered:answer(_handle, yukha_event_content(_event, what.bytes, what.size, list.first, list.count))];
}

- (instancetype)referral:(NSString*)origin {
  Borrowed borrowed;
  const Text from = borrowed.text(origin);
  if (borrowed.problem() != YUKHA_OK) return [self answered:refusal(borrowed)];
  return [self answered:answer(_handle, yukha_event_referral(_event, from.bytes, from.size))];
}

- (instancetype)action:(NSString*)type {
  return [self action:type ms:-1 members:nil];
}

- (instancetype)action:(NSString*)type members:(NSDictionary*)members {
  return [self action:type ms:-1 members:members];
}

- (instancetype)action:(NSString*)type seconds:(NSTimeInterval)seconds {
  return [self action:type seconds:seconds members:nil];
}

- (instancetype)action:(NSString*)type seconds:(NSTimeInterval)seconds members:(NSDictionary*)members {
  if (seconds >= 0 && !isinf(seconds)) return [self action:type ms:milliseconds_of(seconds) members:members];
  // -1 is none for C. One that was asked for is a mistake, as in C++, whether C says so or not.
  [self action:type ms:INT64_MIN members:members];
  return [self answered:status_of(YUKHA_BAD_TIME, @"action.duration_ms: a duration is 0 seconds or more")];
}

- (instancetype)action:(NSString*)type ms:(int64_t)duration_ms members:(NSDictionary*)members {
  Borrowed borrowed;
  const Text deed = borrowed.text(type);
  const Members list = borrowed.members(members);
  if (borrowed.problem() != YUKHA_OK) return [self answered:refusal(borrowed)];
  return [self
      answered:answer(_handle, yukha_event_action(_event, deed.bytes, deed.size, duration_ms, list.first, list.count))];
}

- (instancetype)user:(NSDictionary*)members {
  Borrowed borrowed;
  const Members list = borrowed.members(members);
  if (borrowed.problem() != YUKHA_OK) return [self answered:refusal(borrowed)];
  return [self answered:answer(_handle, yukha_event_user(_event, list.first, list.count))];
}

- (instancetype)device:(NSDictionary*)members {
  Borrowed borrowed;
  const Members list = borrowed.members(members);
  if (borrowed.problem() != YUKHA_OK) return [self answered:refusal(borrowed)];
  return [self answered:answer(_handle, yukha_event_device(_event, list.first, list.count))];
}

- (instancetype)at:(NSDate*)time {
  if (![time isKindOfClass:[NSDate class]]) {
    return [self answered:status_of(YUKHA_BAD_ARGUMENT, @"the time is nil or no NSDate")];
  }
  return [self answered:answer(_handle, yukha_event_at(_event, milliseconds_of([time timeIntervalSince1970])))];
}

- (instancetype)critical {
  return [self answered:answer(_handle, yukha_event_critical(_event))];
}

- (YKStatus*)status {
  return _mistake != nil ? YK_AUTORELEASE(YK_RETAIN(_mistake)) : answer(_handle, YUKHA_OK);
}

- (YKStatus*)track {
  if (_mistake == nil) return answer(_handle, yukha_event_track(_event));
  YKStatus* mistake = YK_AUTORELEASE(_mistake);
  _mistake = nil;
  // C knows nothing of what could not be given to it. An action without a type makes its sentence one that is refused
  // and counted; a mistake it knows of stands.
  yukha_event_action(_event, nullptr, 0, -1, nullptr, 0);
  yukha_event_track(_event);
  return mistake;
}

@end

@implementation YKTracker
@synthesize status = _status;

+ (NSString*)version {
  return string_of(yukha_version(), strlen(yukha_version()));
}

- (instancetype)initWithConfig:(YKConfig*)from {
  self = [super init];
  if (self == nil) return nil;
  _handle = [[YKTrackerHandle alloc] init];

  Borrowed borrowed;
  yukha_config config;
  yukha_config_init(&config, sizeof config);
  NSString* directory = prepared_directory(from);
  const auto text = [&borrowed](NSString* string) -> const char* {
    return string == nil ? nullptr : borrowed.name(string, YUKHA_BAD_CONFIG, "a setting holds NUL");
  };
  config.app_id = text([from appID]);
  config.queue_dir = text(directory);
  config.lane = text([from lane]);
  config.endpoint = text([from endpoint]);
  config.key_id = text([from keyID]);
  config.key_secret_base64 = text([from keySecretBase64]);
  config.app_version = text([from appVersion]);
  config.os = text([from os]);
  config.model = text([from model]);
  config.locale = text([from locale]);
  config.no_thread = [from usesThread] ? 0 : 1;
  config.allow_plain_http = [from allowsPlainHTTP] ? 1 : 0;
  config.no_device_facts = [from collectsDeviceFacts] ? 0 : 1;
  config.upload_interval_ms = interval_of([from uploadInterval]);
  config.sync_interval_ms = interval_of([from syncInterval]);
  config.ring_full_wait_ms = interval_of([from ringFullWait]);
  config.age_max_hours = [from ageMaxHours] > UINT32_MAX ? UINT32_MAX : static_cast<uint32_t>([from ageMaxHours]);
  config.ring_bytes = [from ringBytes];
  config.queue_bytes_max = [from queueBytesMax];

  YKStatus* refused = nil;
  if (borrowed.problem() != YUKHA_OK) {
    refused = refusal(borrowed);
  } else if (directory != nil && is_shared_container(directory)) {
    refused = status_of(YUKHA_BAD_CONFIG,
                        @"queueDirectory lies in the container of an app group, where iOS ends a suspended app that "
                        @"holds a lock; choose a directory of the app's own");
  }
  // Without a config C gives a tracker that refuses every call.
  yukha_result result = YUKHA_OK;
  _handle->tracker = yukha_open(from != nil && refused == nil ? &config : nullptr, &result);
  _status = YK_RETAIN(refused != nil ? refused : answer(_handle, result));
  return self;
}

- (void)dealloc {
  // Events may hold the handle for longer; nothing is to run behind a tracker that is gone.
  if (_handle != nil) yukha_close(_handle->tracker, milliseconds_of(close_seconds));
  YK_RELEASE(_handle);
  YK_RELEASE(_status);
  YK_SUPER_DEALLOC();
}

- (YKStatus*)identify:(NSString*)userID {
  return [self identify:userID members:nil];
}

- (YKStatus*)identify:(NSString*)userID members:(NSDictionary*)members {
  Borrowed borrowed;
  const Text who = borrowed.text(userID);
  const Members list = borrowed.members(members);
  if (borrowed.problem() != YUKHA_OK) return refusal(borrowed);
  return answer(_handle, yukha_identify(tracker_of(_handle), who.bytes, who.size, list.first, list.count));
}

- (YKEvent*)event {
  return YK_AUTORELEASE([[YKEvent alloc] initWithHandle:_handle]);
}

- (YKStatus*)trackJSON:(NSString*)json {
  Borrowed borrowed;
  const Text sentence = borrowed.text(json);
  if (borrowed.problem() != YUKHA_OK) return refusal(borrowed);
  return answer(_handle, yukha_track_json(tracker_of(_handle), sentence.bytes, sentence.size));
}

- (YKConsent)consent {
  return static_cast<YKConsent>(yukha_get_consent(tracker_of(_handle)));
}

- (YKStatus*)setConsent:(YKConsent)consent {
  // A number beyond C's would arrive as another one.
  if (consent < INT32_MIN || consent > INT32_MAX) return status_of(YUKHA_BAD_ARGUMENT, @"the consent is none");
  return answer(_handle, yukha_set_consent(tracker_of(_handle), static_cast<int32_t>(consent)));
}

- (YKStatus*)erase {
  return answer(_handle, yukha_erase(tracker_of(_handle)));
}

- (YKStatus*)flushWithin:(NSTimeInterval)seconds {
  return answer(_handle, yukha_flush(tracker_of(_handle), milliseconds_of(seconds)));
}

- (YKStats*)stats {
  yukha_stats stats;
  memset(&stats, 0, sizeof stats);
  yukha_get_stats(tracker_of(_handle), &stats, sizeof stats);
  return YK_AUTORELEASE([[YKStats alloc] initWithStats:&stats]);
}

- (NSTimeInterval)workWithin:(NSTimeInterval)seconds {
  return static_cast<double>(yukha_work(tracker_of(_handle), milliseconds_of(seconds))) / 1000;
}

- (YKStatus*)close {
  return [self closeWithin:close_seconds];
}

- (YKStatus*)closeWithin:(NSTimeInterval)seconds {
  return answer(_handle, yukha_close(tracker_of(_handle), milliseconds_of(seconds)));
}

- (NSString*)lastError {
  return last_error_of(tracker_of(_handle));
}

@end
