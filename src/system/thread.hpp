// How the worker's thread stands to the app's.
#pragma once

namespace yukha::system {

// This thread's waking does not push another one off its processor, as that of a game whose frame it would cost.
void yield_to_others() noexcept;

}  // namespace yukha::system
