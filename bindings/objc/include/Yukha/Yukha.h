// yukha for Objective-C and Swift. The names in NS_SWIFT_NAME are what Swift sees: Tracker, Event, Status …
//
// Members are NSString to NSString or NSNumber. A number becomes its text, a boolean "true" or "false"; anything else
// is refused with YKCodeBadArgument, and so is nil where a text is needed. Each lone surrogate becomes U+FFFD. Members
// reach the sentence in the order of their names' bytes, whatever the dictionary's own order is. Nothing here throws.
#import <Foundation/Foundation.h>

#if defined(NS_SWIFT_NAME)
#define YK_SWIFT_NAME(name) NS_SWIFT_NAME(name)
#else
#define YK_SWIFT_NAME(name)
#endif
#if defined(NS_SWIFT_SENDABLE)
#define YK_SWIFT_SENDABLE NS_SWIFT_SENDABLE
#else
#define YK_SWIFT_SENDABLE
#endif

NS_ASSUME_NONNULL_BEGIN

@class YKTrackerHandle;
struct yukha_event;

// The numbers of yukha.h. 0 is good. Above 0 the call did its work and there is something worth knowing. Below 0
// it did not do its work. status.hpp says what each means and what to do about it.
typedef NS_ENUM(NSInteger, YKCode) {
  YKCodeOK = 0,
  YKCodeKeptInMemory = 1,
  YKCodeStillWaiting = 2,
  YKCodeCutShort = 3,
  YKCodeTooShort = 4,
  YKCodeSampledOut = 5,
  YKCodeStoppedByPolicy = 6,
  YKCodeRingFull = -1,
  YKCodeClosed = -2,
  YKCodeNotOpen = -3,
  YKCodeConsentDenied = -4,
  YKCodeForkedChild = -5,
  YKCodeSentenceTooLarge = -6,
  YKCodeBadMemberName = -7,
  YKCodeReservedMember = -8,
  YKCodeRepeatedMember = -9,
  YKCodeMissingAction = -10,
  YKCodeBadTime = -11,
  YKCodeAlreadyTracked = -12,
  YKCodeNotASentence = -13,
  YKCodeTooManyMembers = -14,
  YKCodeTooManyTimedEvents = -15,
  YKCodeBadConfig = -20,
  YKCodeBadKey = -21,
  YKCodeBadEndpoint = -22,
  YKCodePlainHTTP = -23,
  YKCodeBadArgument = -24,
  YKCodeLaneHeld = -30,
  YKCodeNoFreeLane = -31,
  YKCodeNewerFormat = -32,
  YKCodeDiskFull = -33,
  YKCodeDiskError = -34,
  YKCodeOutOfMemory = -35,
  YKCodeNoRandomness = -36,
} YK_SWIFT_NAME(Code);

// granted: keep and send. pending: keep, send nothing. denied: keep nothing, and what waits is erased.
typedef NS_ENUM(NSInteger, YKConsent) {
  YKConsentGranted = 0,
  YKConsentPending = 1,
  YKConsentDenied = 2,
} YK_SWIFT_NAME(Consent);

FOUNDATION_EXPORT NSString* const YKErrorDomain;

// What every call answers. Objective-C and Swift may leave it where it is.
// Threads: any. Blocks: never.
YK_SWIFT_SENDABLE YK_SWIFT_NAME(Status) @interface YKStatus : NSObject {
 @private
  YKCode _code;
  NSString* _message;
}
@property(nonatomic, readonly) YKCode code;
// The call did its work: code 0 or above.
@property(nonatomic, readonly, getter=isGood) BOOL good;
// For track: kept where a killed process cannot lose it.
@property(nonatomic, readonly, getter=isKept) BOOL kept;
// The code's name, for example "ring_full".
@property(nonatomic, readonly) NSString* name;
// A whole sentence for the person who must act; empty for YKCodeOK.
@property(nonatomic, readonly) NSString* message;
// nil when good; otherwise the code in YKErrorDomain, with the message as its description.
@property(nonatomic, readonly, nullable) NSError* error;
// The same for callers who want a thrown error: `try tracker.erase().get()`.
- (BOOL)getError:(NSError* _Nullable* _Nullable)error YK_SWIFT_NAME(get());
@end

// What an app says once. What is left at nil or 0 keeps its default; config.hpp has the ranges, and a value outside its
// range is refused at opening. The tracker copies everything; a change after that changes nothing.
// Threads: one. Blocks: never.
YK_SWIFT_NAME(Config)
@interface YKConfig : NSObject {
 @private
  NSString *_appID, *_queueDirectory, *_lane, *_endpoint, *_keyID, *_keySecretBase64, *_appVersion, *_os, *_model,
      *_locale;
  BOOL _allowsPlainHTTP, _collectsDeviceFacts, _usesThread;
  NSTimeInterval _uploadInterval, _syncInterval, _ringFullWait;
  NSUInteger _ageMaxHours;
  uint64_t _ringBytes, _queueBytesMax;
}
// [a-z0-9][a-z0-9.-]{0,127}. Required.
@property(nonatomic, copy, nullable) NSString* appID;
// A directory of the app's own, which is kept out of backups. On Apple systems nil means "yukha" in the app's own
// folder of Application Support; elsewhere it is required. On iOS it may not lie in the container of an app group.
@property(nonatomic, copy, nullable) NSString* queueDirectory;
@property(nonatomic, copy, nullable) NSString* lane;
// https://host/path. nil: sentences are kept, not sent.
@property(nonatomic, copy, nullable) NSString* endpoint;
@property(nonatomic, copy, nullable) NSString* keyID;
@property(nonatomic, copy, nullable) NSString* keySecretBase64;
@property(nonatomic, copy, nullable) NSString* appVersion;
@property(nonatomic, copy, nullable) NSString* os;
@property(nonatomic, copy, nullable) NSString* model;
@property(nonatomic, copy, nullable) NSString* locale;
@property(nonatomic) BOOL allowsPlainHTTP;
@property(nonatomic) BOOL collectsDeviceFacts;  // YES by default
@property(nonatomic) BOOL usesThread;           // YES by default; NO: the host calls -workWithin:
@property(nonatomic) NSTimeInterval uploadInterval;
@property(nonatomic) NSTimeInterval syncInterval;  // 1 s; 5 s on iOS and its kin, where a wake-up costs battery
@property(nonatomic) NSTimeInterval ringFullWait;
@property(nonatomic) NSUInteger ageMaxHours;
@property(nonatomic) uint64_t ringBytes;
@property(nonatomic) uint64_t queueBytesMax;
- (instancetype)initWithAppID:(NSString*)appID;
@end

// accepted = delivered + waiting + quarantined + evicted + erased + lost, over all runs of the lane. stats.hpp says
// what each counts. Threads: any. Blocks: never.
YK_SWIFT_SENDABLE YK_SWIFT_NAME(Stats) @interface YKStats : NSObject {
 @private
  uint64_t _accepted, _delivered, _waiting, _quarantined, _evicted, _erased, _lost;
  uint64_t _refused, _refusedRingFull, _refusedConsent, _refusedInvalid, _refusedClosed;
  uint64_t _requests, _failures;
  NSTimeInterval _nextAttempt;
}
@property(nonatomic, readonly) uint64_t accepted;
@property(nonatomic, readonly) uint64_t delivered;
@property(nonatomic, readonly) uint64_t waiting;
@property(nonatomic, readonly) uint64_t quarantined;
@property(nonatomic, readonly) uint64_t evicted;
@property(nonatomic, readonly) uint64_t erased;
@property(nonatomic, readonly) uint64_t lost;
@property(nonatomic, readonly) uint64_t refused;
@property(nonatomic, readonly) uint64_t refusedRingFull;
@property(nonatomic, readonly) uint64_t refusedConsent;
@property(nonatomic, readonly) uint64_t refusedInvalid;
@property(nonatomic, readonly) uint64_t refusedClosed;
@property(nonatomic, readonly) uint64_t requests;
@property(nonatomic, readonly) uint64_t failures;
@property(nonatomic, readonly) NSTimeInterval nextAttempt;  // how long the endpoint is left in peace from now
@end

// A sentence in the making. Its parts come in any order, each at most once; only the action is required. The first
// mistake is remembered and answered by -track. It keeps what it needs of its tracker alive.
// Threads: one at a time for each event. Blocks: never, but see -track.
YK_SWIFT_NAME(Event)
@interface YKEvent : NSObject {
 @private
  YKTrackerHandle* _handle;
  struct yukha_event* _event;
  YKStatus* _mistake;
}
// Where: a screen with parameters, or a URL.
- (instancetype)location:(NSString*)screen YK_SWIFT_NAME(location(_:));
- (instancetype)location:(NSString*)screen
              parameters:(nullable NSDictionary<NSString*, id>*)parameters YK_SWIFT_NAME(location(_:_:));
// What it was about. An empty id is left out.
- (instancetype)content:(NSString*)contentID YK_SWIFT_NAME(content(_:));
- (instancetype)content:(NSString*)contentID
                members:(nullable NSDictionary<NSString*, id>*)members YK_SWIFT_NAME(content(_:_:));
// What led here: CLICK, PUSH, a URL.
- (instancetype)referral:(NSString*)origin YK_SWIFT_NAME(referral(_:));
// What the user did, and for how long: 0 seconds or more.
- (instancetype)action:(NSString*)type YK_SWIFT_NAME(action(_:));
- (instancetype)action:(NSString*)type
               members:(nullable NSDictionary<NSString*, id>*)members YK_SWIFT_NAME(action(_:_:));
- (instancetype)action:(NSString*)type seconds:(NSTimeInterval)seconds YK_SWIFT_NAME(action(_:seconds:));
- (instancetype)action:(NSString*)type
               seconds:(NSTimeInterval)seconds
               members:(nullable NSDictionary<NSString*, id>*)members YK_SWIFT_NAME(action(_:seconds:_:));
// More members of the user or the device, for this sentence alone.
- (instancetype)user:(nullable NSDictionary<NSString*, id>*)members YK_SWIFT_NAME(user(_:));
- (instancetype)device:(nullable NSDictionary<NSString*, id>*)members YK_SWIFT_NAME(device(_:));
// When, if not now.
- (instancetype)at:(NSDate*)time YK_SWIFT_NAME(at(_:));
- (instancetype)critical;
// The first mistake so far, or good.
@property(nonatomic, readonly) YKStatus* status;
// Keeps the sentence, or says why not. The event is empty again, ready for the next sentence.
// Blocks: never, or up to ringFullWait.
- (YKStatus*)track;
- (instancetype)init __attribute__((unavailable("ask a tracker for -event")));
+ (instancetype)new __attribute__((unavailable("ask a tracker for -event")));
@end

// Composes sentences, holds them on disk, sends them. One that could not open can be called all the same; its status
// says why. When it goes away without -close, it closes as -close does. Threads: any, also while another closes.
YK_SWIFT_SENDABLE YK_SWIFT_NAME(Tracker) @interface YKTracker : NSObject {
 @private
  YKTrackerHandle* _handle;
  YKStatus* _status;
}
@property(class, nonatomic, readonly) NSString* version;
// Blocks: for a few disk writes.
- (instancetype)initWithConfig:(YKConfig*)config YK_SWIFT_NAME(init(config:))NS_DESIGNATED_INITIALIZER;
- (instancetype)init __attribute__((unavailable("a tracker needs a config")));
+ (instancetype)new __attribute__((unavailable("a tracker needs a config")));
// How opening went: good, kept in memory, or why not. Blocks: never.
@property(nonatomic, readonly) YKStatus* status;
// Who: from now on. An empty id goes back to the anonymous one. Blocks: never.
- (YKStatus*)identify:(NSString*)userID YK_SWIFT_NAME(identify(_:));
- (YKStatus*)identify:(NSString*)userID
              members:(nullable NSDictionary<NSString*, id>*)members YK_SWIFT_NAME(identify(_:_:));
// Begins a sentence. Blocks: never.
- (YKEvent*)event;
// The six parts as one JSON object; Tracker::track_json in tracker.hpp describes it. Blocks: as -[YKEvent track].
- (YKStatus*)trackJSON:(NSString*)json YK_SWIFT_NAME(trackJSON(_:));
// Belongs to the queue directory and outlives the process. Blocks: never.
@property(nonatomic, readonly) YKConsent consent;
// Blocks: for a disk write; denied as -erase.
- (YKStatus*)setConsent:(YKConsent)consent YK_SWIFT_NAME(setConsent(_:));
// Removes every sentence of the queue directory. Blocks: for a few disk writes.
- (YKStatus*)erase;
// Delivers what is here now, or YKCodeStillWaiting. Blocks: up to `seconds`.
- (YKStatus*)flushWithin:(NSTimeInterval)seconds YK_SWIFT_NAME(flush(within:));
// Blocks: never.
- (YKStats*)stats;
// For usesThread NO: does what is due and answers the seconds until there is more, negative for nothing.
// Threads: any, one at a time. Blocks: up to `seconds`, plus disk writes.
- (NSTimeInterval)workWithin:(NSTimeInterval)seconds YK_SWIFT_NAME(work(within:));
// Brings everything to disk and ends; later calls are refused with YKCodeClosed. Blocks: up to 2 s, or up to `seconds`,
// plus disk writes.
- (YKStatus*)close;
- (YKStatus*)closeWithin:(NSTimeInterval)seconds YK_SWIFT_NAME(close(within:));
// The message of the library's last answer that was not good, on any thread. A status's own message is the surer one.
// Blocks: never.
@property(nonatomic, readonly) NSString* lastError;
@end

NS_ASSUME_NONNULL_END
