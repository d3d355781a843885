// What the collector reads from the network: heads, signature fields, bodies and their lines, and what it is told.
#include <nlohmann/json.hpp>

#include "../../examples/collector/batch_key.hpp"
#include "../../examples/collector/fault.hpp"
#include "../../examples/collector/gate.hpp"
#include "../../examples/collector/gzip.hpp"
#include "../../examples/collector/policy.hpp"
#include "../../examples/collector/sentence.hpp"
#include "../../examples/collector/signature.hpp"
#include "../../examples/collector/text.hpp"
#include "fuzz.hpp"

using namespace collector;
using yukha::fuzz::Input;
using yukha::fuzz::promise;

namespace {

constexpr std::string_view kHost = "127.0.0.1:8080";
constexpr std::string_view kToken = "0123456789abcdef0123456789abcdef";
constexpr std::int64_t kNowMs = 1779421925301;

std::vector<PublicUrl> own_urls() {
  return {*PublicUrl::parsed("http://127.0.0.1:8080"), *PublicUrl::parsed("https://collect.example.com/v1/events")};
}

void check_head(std::string_view text) {
  HttpRequest head;
  if (!read_head(text, &head)) return;
  std::string again = head.method + ' ' + head.target + " HTTP/1.1";
  int hosts = 0;
  for (const auto& [name, value] : head.fields) {
    promise(!has_forbidden_byte(value) && value.find('\n') == std::string::npos, "a field's value is one line");
    promise(lower_ascii(name) == name && name.find_first_of(": \t\r\n") == std::string::npos, "a name is one");
    hosts += name == "host" ? 1 : 0;
    again += "\r\n" + name + ": " + value;
  }
  promise(hosts == 1, "there is one Host");
  HttpRequest same;
  promise(read_head(again, &same) && same.target == head.target && same.fields == head.fields,
          "a head written again is the same");
  promise(head.target.find_first_of(" \t\r\n") == std::string::npos, "a target is one word");

  static const Gate gate(own_urls(), std::string(kToken));
  static const Gate open_gate(own_urls(), "");
  const auto refusal = gate.refusal_of(head);
  const auto open_refusal = open_gate.refusal_of(head);
  promise(refusal || !open_refusal, "whom the open gate refuses, the other one refuses");
  if (open_refusal) return;
  const std::string host = lower_ascii(head.field("host"));
  promise(host == kHost || host == "collect.example.com" || host == "collect.example.com:443", "Host is one of ours");
  const bool has_token = head.field("authorization").find(kToken) != std::string::npos;
  promise(head.path().rfind(kMicro, 0) != 0 || has_token || refusal, "what is below /micro/ wants the token");
}

// Six fields, one a line, in place of the usual ones where they are not empty.
void check_signature(Input& input) {
  static const SignatureVerifier verifier({{"app", "sixteen bytes or more, please"}}, own_urls());
  HttpRequest request;
  request.method = "POST";
  request.target = "/v1/events";
  request.fields = {{"content-type", "application/x-ndjson"}, {"content-encoding", "gzip"}};
  for (const char* name :
       {"signature-input", "signature", "content-digest", "idempotency-key", "yukha-clock", "x-more"}) {
    request.fields.emplace_back(name, std::string(input.text_until('\n')));
  }
  Sha256 digest = sha256_of("body");
  const SignatureVerdict verdict = verifier.judge(request, digest, kNowMs);
  if (verdict == SignatureVerdict::kGood) {
    promise(verifier.judge(request, digest, kNowMs + 601'000) == SignatureVerdict::kClock, "a signature has its time");
    digest[0] ^= 1;
    promise(verifier.judge(request, digest, kNowMs) == SignatureVerdict::kSignature, "a signature is for one body");
    request.method = "PUT";
    promise(verifier.judge(request, sha256_of("body"), kNowMs) == SignatureVerdict::kSignature, "and for one method");
  }
  if (const auto text = structured_string(request.field("idempotency-key"))) {
    if (const auto key = BatchKey::parsed(*text)) {
      promise(key->text == *text && key->ancestors().size() <= 16, "a key has at most sixteen levels above it");
      for (const std::string& ancestor : key->ancestors()) {
        promise(BatchKey::parsed(ancestor)->has_part(key->text), "a key is a part of its ancestors");
      }
    }
  }
  const std::string offset = clock_offset_in(request.field("yukha-clock"));
  promise(offset.empty() || std::to_string(whole_number(offset).value()) == offset, "an offset is a plain number");
}

void check_line(std::string_view line) {
  static const SchemaJudge schema;
  SentenceFacts facts;
  const auto usual = read_usual_sentence(line);
  const auto refusal = schema.refusal_of(line, &facts);
  if (refusal) {
    promise(!usual, "the quick reader takes only what the schema takes");
    promise(is_utf8(refusal->reason()) && is_utf8(refusal->id) && refusal->id.size() <= 64 &&
                refusal->reason().size() <= 400,
            "a reason can stand in an answer");
    return;
  }
  promise(!usual || (usual->id == facts.id && usual->is_ledger == facts.is_ledger &&
                     usual->clock_offset_ms == facts.clock_offset_ms),
          "both readers read the same");
  std::string lake;
  append_lake_line(line, "-42", "2026-05-22T03:52:00.123Z", &lake);
  const auto document = nlohmann::json::parse(lake, nullptr, false);
  promise(document.is_object() && document.size() == 10 && document["received_at"] == "2026-05-22T03:52:00.123Z",
          "a line of the lake is the sentence and two keys");
  promise(lake.find_first_of("\r\n") == lake.size() - 1, "a line of the lake is one line");
}

void check_lines(std::string_view body) {
  const std::vector<std::string_view> lines = lines_of(body);
  promise(lines.size() == count_lines(body), "lines are counted as they are read");
  for (const std::string_view line : lines) check_line(line);
}

void check_body(Input& input) {
  const std::size_t most = input.number(3) % 100'000;
  const Inflated body = inflate_one_member(input.rest(), most);
  promise(body.bytes.size() <= most, "what comes out is no more than allowed");
  promise(body.bytes.capacity() <= 2 * most + 128 * 1024, "a bomb does not grow far beyond what is allowed");
  if (body.outcome != Inflated::Outcome::kWhole) return promise(body.bytes.empty(), "half a body is none");
  const Inflated again = inflate_one_member(deflate_one_member(body.bytes, 6), most);
  promise(again.outcome == Inflated::Outcome::kWhole && again.bytes == body.bytes, "what was read can be written");
  check_lines(body.bytes);
}

void check_told(std::string_view text) {
  std::string error;
  if (const auto policy = policy_from(text, &error)) {
    promise(policy_from(*policy, &error) == policy, "a policy is the same when it is set again");
    promise(nlohmann::json::parse(*policy)["for_s"] <= 604'800, "a policy has an end");
  } else {
    promise(!error.empty(), "a refusal says why");
  }
  error.clear();
  promise(Fault::all_parsed(text, &error).has_value() == error.empty(), "what is no fault says why");
  const auto decoded = base64_decoded(text);
  promise(!decoded || base64_encoded(*decoded) == text, "one secret has one base64 text");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  switch (input.below(5)) {
    case 0:
      check_head(input.rest());
      break;
    case 1:
      check_signature(input);
      break;
    case 2:
      check_body(input);
      break;
    case 3:
      check_lines(input.rest());
      break;
    default:
      check_told(input.rest());
  }
  return 0;
}
