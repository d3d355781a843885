// What is spoken with the other side: how a sealed batch becomes a request, and what an answer to it means.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <yukha/config.hpp>
#include <yukha/http_transport.hpp>

#include "send/endpoint.hpp"
#include "send/signer.hpp"
#include "send/verdict.hpp"

namespace yukha::send {

// One for each kind of endpoint, in a file of its own beside this one; the worker's stages know only this. It has no
// state: it is given what a request is made of, and what was sent when it judges an answer.
// Threads: any. Blocks: never, but for what the app's function to sign does.
class Protocol {
 public:
  // Fills in URL, headers and body. The deadlines are the caller's business. A body other than the sealed one
  // (`facts.body`) is kept in `made`, which lives as long as the request. False when the app did not sign.
  virtual bool make_request(const Endpoint& endpoint, const RequestFacts& facts, const Key* key,
                            const SignFunction& sign, HttpRequest& request, std::string& made) const = 0;
  // `lines_sent`: of the batch. `created_unix_s`: the time that the request told of itself. `now_unix_ms`: the
  // device's.
  virtual Judgement judge(const HttpAnswer& answer, std::size_t lines_sent, std::int64_t created_unix_s,
                          std::int64_t now_unix_ms) const = 0;

 protected:
  ~Protocol() = default;
};

// The ingestion endpoint's, see CONTRACT.md.
const Protocol& ingestion_protocol() noexcept;

}  // namespace yukha::send
