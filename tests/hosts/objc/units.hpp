// A string of any UTF-16 units. GNUstep's own initialisers give nil for a lone surrogate and swallow a byte order mark
// at the front; Apple's do neither, and on both systems a string may hold either.
#pragma once

#import <Foundation/Foundation.h>

#include <utility>
#include <vector>

@interface Units : NSString {
  std::vector<unichar>* _units;
}
- (id)initWithUnits:(std::vector<unichar>)units;
@end

@implementation Units
- (id)initWithUnits:(std::vector<unichar>)units {
  _units = new std::vector<unichar>(std::move(units));
  return self;
}
- (void)dealloc {
  delete _units;
  [super dealloc];
}
// It does not change, so it is its own copy, and no initialiser of GNUstep's sees what it holds.
- (id)copyWithZone:(NSZone*)zone {
  static_cast<void>(zone);
  return [self retain];
}
- (NSUInteger)length {
  return _units->size();
}
- (unichar)characterAtIndex:(NSUInteger)index {
  return _units->at(index);
}
@end
