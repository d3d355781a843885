// The work lock, as every call of the app's takes it.
#pragma once

#include <yukha/http_transport.hpp>

#include "system/mutex.hpp"

namespace yukha::detail {

// Wakes the transport, then locks: without a worker's thread another call may hold the lock while it waits for the
// network in work(), and would hold it for as long as it waits.
class YUKHA_THREAD_ATTRIBUTE(scoped_lockable) WorkLock {
 public:
  WorkLock(system::Mutex& work, HttpTransport& transport) YUKHA_THREAD_ATTRIBUTE(acquire_capability(work))
      : work_(work) {
    transport.wake();
    work_.lock();
  }
  ~WorkLock() YUKHA_THREAD_ATTRIBUTE(release_capability()) { work_.unlock(); }
  WorkLock(const WorkLock&) = delete;
  WorkLock& operator=(const WorkLock&) = delete;

 private:
  system::Mutex& work_;
};

}  // namespace yukha::detail
