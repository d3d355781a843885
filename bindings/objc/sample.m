// The sample of this folder's README.md, as Objective-C people write it. It needs no ARC; with ARC, leave the pool and the
// release out.
#import <Foundation/Foundation.h>
// [readme
#import <Yukha/Yukha.h>

static void readACard(void) {
  YKConfig *config = [[YKConfig alloc] initWithAppID:@"shop"];
  config.queueDirectory = @"events";
  config.endpoint = @"http://127.0.0.1:8080";
  config.keyID = @"app-2026-11";
  config.keySecretBase64 = @"c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U=";

  YKTracker *tracker = [[YKTracker alloc] initWithConfig:config];
  [tracker identify:@"u_1842"];

  YKEvent *event = [[[[[tracker event] location:@"FEED" parameters:@{@"y": @"3"}]
      content:@"card_913" members:@{@"type": @"card"}]
      referral:@"CLICK"]
      action:@"READ" seconds:10];
  YKStatus *status = [event track];
  if (!status.isGood) NSLog(@"not kept: %@", status.message);
  printf("track: %s\n", status.name.UTF8String);

  printf("flush: %s\n", [tracker flushWithin:5].name.UTF8String);
  [tracker close];
#if !__has_feature(objc_arc)
  [tracker release];
  [config release];
#endif
}
// readme]

int main(void) {
  NSAutoreleasePool *pool = [[NSAutoreleasePool alloc] init];
  readACard();
  [pool drain];
  return 0;
}
