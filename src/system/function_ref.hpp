// A function that is borrowed for the length of a call. Whoever takes one is compiled once, where a template would be
// compiled for each lambda, and nothing is copied or allocated, as std::function would.
#pragma once

#include "system/mutex.hpp"

namespace yukha::system {

template <typename Signature>
class FunctionRef;

template <typename Result, typename... Arguments>
class FunctionRef<Result(Arguments...)> {
 public:
  template <typename Call>
  FunctionRef(const Call& call) noexcept  // NOLINT(google-explicit-constructor): a lambda stands at the call
      : call_(&call),
        run_([](const void* from, Arguments... arguments) YUKHA_THREAD_ATTRIBUTE(no_thread_safety_analysis) -> Result {
          return (*static_cast<const Call*>(from))(static_cast<Arguments>(arguments)...);
        }) {}
  Result operator()(Arguments... arguments) const { return run_(call_, static_cast<Arguments>(arguments)...); }

 private:
  const void* call_;
  Result (*run_)(const void*, Arguments...);
};

}  // namespace yukha::system
