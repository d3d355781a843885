#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "core/core.hpp"
#include "send/endpoint.hpp"
#include "send/signer.hpp"
#include "send/verdict.hpp"
#include "support.hpp"
#include "system/base64.hpp"
#include "system/crypto.hpp"

using namespace yukha;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

json vectors(const char* name) {
  const json parsed = json::parse(test::read_file(std::string(YUKHA_SOURCE_DIR "/tests/vectors/") + name));
  REQUIRE(!parsed.empty());
  return parsed;
}

HttpAnswer answer_of(const json& vector) {
  HttpAnswer answer;
  answer.status = vector["status"];
  answer.body = vector["body"];
  for (const json& header : vector["headers"]) {
    std::string name = header[0];
    // As the transport's interface promises.
    for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    answer.headers.push_back({name, header[1]});
  }
  return answer;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::string id_of(const std::string& line) {
  return json::parse(line)["id"];
}

const std::string secret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

// A tracker in virtual time that has three sentences of its own to send, in a first batch that gets `vector` as its
// answer; whatever comes after it is accepted.
class Life {
 public:
  explicit Life(const json& vector) : endpoint_(std::make_shared<test::FakeEndpoint>(&clock_)) {
    Config config = test::sending_config(directory_, endpoint_);
    config.endpoint = "https://collect.example.com/v1/events";
    config.keys = {{"first", secret}, {"second", secret}};
    detail::Seams seams;
    seams.clock = &clock_;
    seams.dice = &dice_;
    core_.reset(detail::Core::open(config, seams));
    REQUIRE(core_->status() == Code::ok);
    // The hourly ledger sentence goes first, by itself.
    track("warm-up");
    REQUIRE(core_->flush(1h) == Code::ok);
    endpoint_->requests.clear();
    for (const char* id : {"one", "two", "three"}) track(id);
    step();
    clock_.monotonic += 2'000;
    step();
    clock_.monotonic += 20'000;
    if (vector.contains("sent_unix_ms")) {
      clock_.unix_at_zero = vector["sent_unix_ms"].get<std::int64_t>() - clock_.monotonic;
    }
    endpoint_->answer = [this, &vector](const test::FakeEndpoint::Request& request) {
      if (endpoint_->requests.size() > 1) return test::all_accepted(request.lines.size());
      HttpAnswer answer = answer_of(vector);
      for (std::size_t i = 0; i < request.lines.size(); ++i) {
        sent_.push_back(id_of(request.lines[i]));
        answer.body = replaced(answer.body, vector["sent_ids"][i], sent_.back());
      }
      return answer;
    };
    step();
    REQUIRE(!endpoint_->requests.empty());
    REQUIRE(request(0).lines.size() == 3);
  }

  void step() { core_->work(1ms); }
  void wait_ms(std::int64_t ms) { clock_.monotonic += ms; }
  Stats stats() { return core_->stats(); }
  std::size_t requests() const { return endpoint_->requests.size(); }
  const test::FakeEndpoint::Request& request(std::size_t number) const { return endpoint_->requests.at(number); }
  // The request's lines by their places in the first batch, from 1.
  std::vector<int> lines_of(std::size_t number) const {
    std::vector<int> places;
    for (const std::string& line : request(number).lines) {
      const auto found = std::find(sent_.begin(), sent_.end(), id_of(line));
      places.push_back(static_cast<int>(found - sent_.begin()) + 1);
    }
    return places;
  }
  std::size_t line_bytes(std::size_t number) const {
    std::size_t bytes = 0;
    for (const std::string& line : request(number).lines) bytes += line.size() + 1;
    return bytes;
  }
  std::string key_of(std::size_t number) const { return request(number).header("Idempotency-Key"); }
  // The key of a part of the first batch.
  std::string part_key(const std::string& path) const {
    return key_of(0).substr(0, key_of(0).size() - 1) + "." + path + "\"";
  }

 private:
  test::TempDirectory directory_;
  test::StillClock clock_;
  test::SeededDice dice_{3};
  std::shared_ptr<test::FakeEndpoint> endpoint_;
  std::unique_ptr<detail::Core> core_;
  std::vector<std::string> sent_;

  void track(const char* id) { REQUIRE(core_->event().content(id).action("READ").track() == Code::ok); }
};

bool same_batch(const Life& life, std::size_t number) {
  return life.key_of(number) == life.key_of(0) && life.request(number).body == life.request(0).body;
}

}  // namespace

TEST_CASE("every answer of the vectors gets its verdict") {
  const std::map<std::string, send::Verdict> names = {
      {"delivered", send::Verdict::delivered},
      {"outage", send::Verdict::outage},
      {"too_large", send::Verdict::too_large},
      {"refused_lines", send::Verdict::names_lines},
      {"refused_unnamed", send::Verdict::unnamed},
      {"clock", send::Verdict::wrong_clock},
      {"key", send::Verdict::unknown_key},
      {"signature", send::Verdict::not_allowed},
      {"busy", send::Verdict::later},
      {"split", send::Verdict::split},
      {"conflict", send::Verdict::conflict},
      {"redirect", send::Verdict::moved},
      {"wrong_configuration", send::Verdict::misconfigured},
  };
  send::Endpoint endpoint;
  REQUIRE(send::parse_endpoint("https://collect.example.com/v1/events", false, endpoint));
  for (const json& vector : vectors("answers.json")) {
    CAPTURE(vector["name"].get<std::string>());
    const std::int64_t sent_unix_ms = vector.value("sent_unix_ms", std::int64_t{1'779'421'925'301});
    const std::vector<std::string> ids = vector["sent_ids"];
    const send::Judgement judgement = send::judge(answer_of(vector), ids.size(), sent_unix_ms / 1000, sent_unix_ms);
    send::Verdict verdict = judgement.verdict;
    // Two things the judge leaves to who knows the batch and the endpoint: whose the ids are, where a redirect leads.
    std::set<std::size_t> rejected;
    bool ours = true;
    for (const send::RejectedLine& one : judgement.rejected) {
      ours = ours && (one.id.empty() || one.id == ids.at(one.line - 1));
      rejected.insert(one.line);
    }
    if (!ours) verdict = send::Verdict::outage;
    send::Endpoint to;
    if (verdict == send::Verdict::moved && !send::same_origin_redirect(endpoint, judgement.location, to)) {
      verdict = send::Verdict::misconfigured;
    }
    CHECK(send::verdict_name(verdict) == std::string(send::verdict_name(names.at(vector["verdict"]))));
    if (vector.contains("quarantined")) {
      CHECK(rejected == vector["quarantined"].get<std::set<std::size_t>>());
    }
    if (vector.contains("retry_after_s")) {
      CHECK(judgement.retry_after_ms == vector["retry_after_s"].get<std::int64_t>() * 1000);
    }
    if (vector.contains("policy")) {
      const json& obeyed = vector["policy"];
      REQUIRE(judgement.policy.has_value() == !obeyed.is_null());
      if (judgement.policy) {
        CHECK(judgement.policy->for_s == obeyed["for_s"]);
        CHECK(judgement.policy->pause_s == obeyed.value("pause_s", 0));
        CHECK(judgement.policy->upload_interval_s == obeyed.value("upload_interval_s", 0));
        CHECK(judgement.policy->share_percent == obeyed.value("share_percent", 100));
        CHECK(judgement.policy->stop == obeyed.value("stop", std::vector<std::string>()));
      }
    }
    // Words for a person, always.
    CHECK_FALSE(judgement.words.empty());
  }
}

TEST_CASE("every answer of the vectors has the client do what the contract says" * doctest::test_suite("exhaustive")) {
  for (const json& vector : vectors("answers.json")) {
    CAPTURE(vector["name"].get<std::string>());
    const std::string verdict = vector["verdict"];
    Life life(vector);
    const Stats stats = life.stats();
    const std::uint64_t warm_up = 1;
    if (verdict == "delivered") {
      CHECK(stats.delivered == warm_up + vector["delivered"].size());
      CHECK(stats.quarantined == vector["quarantined"].size());
      CHECK(stats.waiting == 0);
      CHECK(stats.failures == 0);
      CHECK(life.requests() == 1);
    } else if (verdict == "refused_lines") {
      CHECK(stats.quarantined == vector["quarantined"].size());
      if (vector["remainder"].empty()) {
        CHECK(life.requests() == 1);
        CHECK(stats.waiting == 0);
      } else {
        REQUIRE(life.requests() == 2);
        CHECK(life.key_of(1) == life.part_key("r"));
        CHECK(life.lines_of(1) == vector["remainder"].get<std::vector<int>>());
      }
    } else if (verdict == "too_large") {
      // Nothing above half of what was refused leaves again, but for a lone sentence.
      for (int i = 0; i < 8; ++i) life.step();
      std::vector<int> lines;
      for (std::size_t i = 1; i < life.requests(); ++i) {
        CHECK((life.line_bytes(i) * 2 <= life.line_bytes(0) || life.lines_of(i).size() == 1));
        CHECK(life.key_of(i).find(i == 1 ? ".0" : ".") != std::string::npos);
        for (const int line : life.lines_of(i)) lines.push_back(line);
      }
      CHECK(lines == std::vector<int>{1, 2, 3});
      CHECK(life.stats().delivered == warm_up + 3);
    } else if (verdict == "conflict") {
      // At once, under a key that follows from the old one and the lines.
      life.step();
      REQUIRE(life.requests() == 2);
      CHECK(life.request(1).body == life.request(0).body);
      CHECK(life.key_of(1) == "\"" + test::renewed_key(life.key_of(0), life.request(0).lines) + "\"");
      life.step();
      CHECK(life.stats().delivered == warm_up + 3);
    } else if (verdict == "refused_unnamed" || verdict == "split") {
      // The larger half first, in order.
      REQUIRE(life.requests() == 2);
      CHECK(life.key_of(1) == life.part_key("0"));
      CHECK(life.lines_of(1) == std::vector<int>{1, 2});
      life.step();
      life.step();
      CHECK(life.stats().waiting == 0);
      CHECK(life.stats().delivered == warm_up + 3);
      CHECK(life.key_of(2) == life.part_key("1"));
      CHECK(life.requests() == 3);
    } else if (verdict == "clock") {
      REQUIRE(life.requests() == 2);
      CHECK(same_batch(life, 1));
      CHECK(life.request(1).header("Signature-Input") != life.request(0).header("Signature-Input"));
      const std::string date = vector["headers"][0][1];
      const std::int64_t learnt_s = *send::parse_http_date(date) / 1000;
      const std::string input = life.request(1).header("Signature-Input");
      const std::int64_t created = std::stoll(input.substr(input.find(";created=") + 9));
      CHECK(std::abs(created - learnt_s) <= 1);
      CHECK(life.request(1).header("Yukha-Clock").find(";offset=") != std::string::npos);
    } else if (verdict == "key") {
      REQUIRE(life.requests() == 2);
      CHECK(same_batch(life, 1));
      CHECK(life.request(0).header("Signature-Input").find("keyid=\"first\"") != std::string::npos);
      CHECK(life.request(1).header("Signature-Input").find("keyid=\"second\"") != std::string::npos);
    } else if (verdict == "redirect") {
      REQUIRE(life.requests() == 2);
      CHECK(same_batch(life, 1));
      CHECK(life.request(1).head.url == "https://collect.example.com" + vector["headers"][0][1].get<std::string>());
      CHECK(life.request(1).header("Signature") != life.request(0).header("Signature"));
    } else if (verdict == "busy") {
      CHECK(life.requests() == 1);
      CHECK(stats.waiting == 3);
      const std::int64_t asked_ms = vector.value("retry_after_s", std::int64_t{1}) * 1000;
      life.wait_ms(asked_ms - 100);
      life.step();
      CHECK(life.requests() == 1);
      life.wait_ms(10'000);
      life.step();
      REQUIRE(life.requests() == 2);
      CHECK(same_batch(life, 1));
    } else {
      REQUIRE((verdict == "outage" || verdict == "signature" || verdict == "wrong_configuration"));
      CHECK(life.requests() == 1);
      CHECK(stats.waiting == 3);
      CHECK(stats.quarantined == 0);
      CHECK(stats.failures == 1);
      CHECK_FALSE(stats.last_trouble.empty());
      const std::int64_t asked_ms = vector.value("retry_after_s", std::int64_t{0}) * 1000;
      CHECK(stats.next_attempt_ms >= asked_ms - 5);
      const bool overlong = vector["name"].get<std::string>().find("99999999") != std::string::npos;
      const std::int64_t most = verdict == "outage" ? 1000 : 60'000;
      if (!overlong) CHECK(stats.next_attempt_ms <= asked_ms + std::max(most, asked_ms));
      life.wait_ms(stats.next_attempt_ms + 1);
      life.step();
      REQUIRE(life.requests() == 2);
      CHECK(same_batch(life, 1));
      CHECK(life.stats().waiting == 0);
      CHECK(life.stats().last_trouble.empty());
    }
    const Stats end = life.stats();
    CHECK(end.accepted == end.delivered + end.waiting + end.quarantined);
    CHECK(end.accepted == warm_up + 3);
  }
}

TEST_CASE("the published signatures and digests of the vectors are reproduced") {
  const json requests = vectors("requests.json");
  for (const json& one : requests["signatures"]) {
    std::string key;
    REQUIRE(system::from_base64(one["key_base64"].get<std::string>(), key));
    const system::Sha256 digest = system::hmac_sha256(key, one["signature_base"].get<std::string>());
    CHECK(system::to_base64({reinterpret_cast<const char*>(digest.data()), digest.size()}) == one["signature"]);
  }
  for (const json& one : requests["digests"]) {
    CHECK(send::content_digest(one["body"].get<std::string>()) == one["content_digest"]);
  }
}

TEST_CASE("the good requests of the vectors have the signature base, signature and digest this client would make") {
  const json file = vectors("requests.json");
  send::Endpoint endpoint;
  REQUIRE(send::parse_endpoint(file["public_url"].get<std::string>(), false, endpoint));
  int reproduced = 0;
  for (const json& request : file["requests"]) {
    if (request["expect"]["status"] != 200) continue;
    CAPTURE(request["name"].get<std::string>());
    std::map<std::string, std::string> values = {{"@method", request["method"]},
                                                 {"@authority", endpoint.authority},
                                                 {"@path", request["path"]},
                                                 {"@scheme", endpoint.scheme}};
    CHECK(request["path"] == endpoint.path);
    for (const json& header : request["headers"]) {
      std::string name = header[0];
      for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
      values[name] = header[1];
    }
    const std::string input = values["signature-input"];
    const std::string parameters = input.substr(input.find('=') + 1);
    std::vector<std::pair<std::string, std::string>> components;
    const std::string list = parameters.substr(1, parameters.find(')') - 1);
    for (std::size_t at = list.find('"'); at != std::string::npos; at = list.find('"', at + 1)) {
      const std::size_t end = list.find('"', at + 1);
      const std::string name = list.substr(at + 1, end - at - 1);
      REQUIRE(values.count(name) == 1);
      components.emplace_back(name, values[name]);
      at = end;
    }
    const std::string base = send::signature_base(components, parameters);
    CHECK(base == request["signature_base"]);
    const std::size_t keyid = parameters.find("keyid=\"") + 7;
    const std::string id = parameters.substr(keyid, parameters.find('"', keyid) - keyid);
    std::string key;
    REQUIRE(system::from_base64(file["keys"][id].get<std::string>(), key));
    const system::Sha256 digest = system::hmac_sha256(key, base);
    const std::string signature = system::to_base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
    CHECK(values["signature"].find("=:" + signature + ":") != std::string::npos);

    std::string body;
    REQUIRE(system::from_base64(request["body_base64"].get<std::string>(), body));
    if (body.substr(0, 2) != "\x1F\x8B") {
      const std::string text = body;
      REQUIRE(system::from_base64(text, body));
    }
    CHECK(send::content_digest(body) == values["content-digest"]);
    ++reproduced;
  }
  CHECK(reproduced >= 15);
}

TEST_CASE("a request of this client has the form of the vectors' first") {
  const json first = vectors("requests.json")["requests"][0];
  send::Endpoint endpoint;
  REQUIRE(send::parse_endpoint("https://collect.example.com/v1/events", false, endpoint));
  send::Key key;
  REQUIRE(send::decode_key({"app-2026-11", secret}, false, key));
  send::RequestFacts facts;
  facts.idempotency_key = "019e4dcf-ce88-7821-9977-bb8edf363d58";
  std::string body;
  REQUIRE(system::from_base64(first["body_base64"].get<std::string>(), body));
  facts.body = body;
  facts.unix_ms = 1'779'421'925'344;
  facts.offset_ms = -42;
  std::vector<HttpHeader> headers;
  REQUIRE(send::request_headers(endpoint, facts, &key, nullptr, headers));
  REQUIRE(headers.size() == first["headers"].size());
  for (std::size_t i = 0; i < headers.size(); ++i) {
    CHECK(headers[i].name == first["headers"][i][0]);
    std::string ours = headers[i].value;
    std::string theirs = first["headers"][i][1];
    if (headers[i].name == "Signature") continue;
    // The nonce is chance; everything around it is not.
    for (std::string* text : {&ours, &theirs}) {
      const std::size_t nonce = text->find("nonce=\"");
      if (nonce != std::string::npos) text->erase(nonce, text->find('"', nonce + 7) - nonce);
    }
    CHECK(ours == theirs);
  }
}
