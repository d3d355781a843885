// Included before anything else where the binding is compiled with ARC, or as for Apple, but not linked: GNUstep's own
// headers know neither.
//
// The GNU runtime's runtime.h reads a class out of an object, which ARC forbids. Its include guard is set on the
// command line, and what Foundation wants of it stands here.
typedef struct objc_method* Method;
typedef struct objc_ivar* Ivar;

#if TARGET_OS_MAC
// What Apple's Foundation has and GNUstep's has not.
#import <Foundation/Foundation.h>
extern NSString* const NSFileProtectionKey;
extern NSString* const NSFileProtectionCompleteUntilFirstUserAuthentication;
@interface NSFileManager (YukhaAppleOnly)
- (BOOL)setAttributes:(NSDictionary*)attributes ofItemAtPath:(NSString*)path error:(NSError**)error;
@end
@interface NSURL (YukhaAppleOnly)
- (BOOL)setResourceValue:(id)value forKey:(NSString*)key error:(NSError**)error;
@end
#endif
