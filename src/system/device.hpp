// What the operating system tells of itself. Never an id of hardware or advertising.
#pragma once

#include <string>

namespace yukha::system {

struct DeviceFacts {
  std::string os;      // "Debian GNU/Linux 12", "macOS 14.4"
  std::string model;   // "x86_64" where the system names no model
  std::string locale;  // "ko_KR"; empty when the environment names none
};
DeviceFacts device_facts();

// Tells this installation of the operating system from others; used only to notice that a queue directory came from
// another device. Never sent. Empty when the system has none.
std::string platform_id();

}  // namespace yukha::system
