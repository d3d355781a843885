// The libraries that this one stands on, as the loader sees them.
#pragma once

namespace yukha::system {

// The library that holds `function` stays in the process for as long as it runs, unless it is the one that calls: a
// thread of its own may outlive us. Threads: any. Blocks: never.
void keep_loaded(const void* function) noexcept;

}  // namespace yukha::system
