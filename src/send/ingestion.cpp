#include "send/protocol.hpp"

namespace yukha::send {
namespace {

class Ingestion final : public Protocol {
 public:
  bool make_request(const Endpoint& endpoint, const RequestFacts& facts, const Key* key, const SignFunction& sign,
                    HttpRequest& request, std::string& /*made*/) const override {
    request.url = endpoint.url;
    request.body = facts.body;
    return request_headers(endpoint, facts, key, sign, request.headers);
  }

  Judgement judge(const HttpAnswer& answer, std::size_t lines_sent, std::int64_t created_unix_s,
                  std::int64_t now_unix_ms) const override {
    return send::judge(answer, lines_sent, created_unix_s, now_unix_ms);
  }
};

}  // namespace

const Protocol& ingestion_protocol() noexcept {
  static const Ingestion ingestion;
  return ingestion;
}

}  // namespace yukha::send
