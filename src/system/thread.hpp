// How the worker's thread stands to the app's.
#pragma once

namespace yukha::system {

// This thread is named "yukha", and its waking does not push another one off its processor, as that of a game whose
// frame it would cost.
void become_worker() noexcept;

}  // namespace yukha::system
