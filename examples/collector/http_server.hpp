// Serves the endpoint on the addresses it is given, and only there.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "endpoint.hpp"
#include "gate.hpp"

namespace collector {

class HttpServer {
 public:
  // Binds the first address, and the others where the machine has them. Port 0 takes a free one. Throws
  // std::runtime_error when the port is taken. Callers wait in line until start().
  HttpServer(const std::vector<std::string>& addresses, int port, const std::vector<std::string>& event_paths);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const;
  void start(Endpoint* endpoint, const Gate* gate);
  // Takes no more requests, lets those that run finish, and returns when no thread of the server is left.
  void stop();

 private:
  struct Listeners;
  std::unique_ptr<Listeners> listeners_;
};

}  // namespace collector
