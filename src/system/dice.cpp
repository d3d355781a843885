#include "system/dice.hpp"

#include "system/crypto.hpp"

namespace yukha::system {

bool DiceCup::refill() noexcept {
  const bool filled = dice_.fill(bytes_, sizeof bytes_);
  left_ = filled ? sizeof bytes_ : 0;
  return filled;
}

void DiceCup::spill() noexcept {
  cleanse(bytes_, sizeof bytes_);
  left_ = 0;
}

}  // namespace yukha::system
