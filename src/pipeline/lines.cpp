#include "pipeline/lines.hpp"

#include "send/gzip.hpp"
#include "system/crypto.hpp"
#include "system/uuid.hpp"

namespace yukha::pipeline {
namespace {

// Twice the limit: a queue that an earlier configuration filled may hold larger ones, not without end.
constexpr std::size_t body_bytes_max = 2'000'000;
constexpr std::string_view own_seq = "\"seq\":\"0000000000\"";

}  // namespace

std::string key_of(std::string_view lines) {
  const system::Sha256 digest = system::sha256(lines);
  std::string key(system::uuid_text_size, '\0');
  system::write_uuid(digest.data(), 8, key.data());
  return key;
}

std::string idempotency_key(const hold::Batch& batch) {
  return batch.path.empty() ? batch.key : batch.key + "." + batch.path;
}

bool seal_lines(std::string_view lines, std::string& key, std::string& body) {
  key = key_of(lines);
  body = send::gzip(lines);
  return !body.empty();
}

bool read_text(const std::string& body, std::string& text) {
  return send::gunzip(body, body_bytes_max, text);
}

bool read_lines(const std::string& body, std::vector<std::string>& lines) {
  std::string text;
  if (!read_text(body, text) || text.empty() || text.back() != '\n') return false;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return true;
}

hold::NewBatch part_of(const hold::Batch& parent, const std::string& path, const std::vector<std::string>& lines,
                       std::size_t first, std::size_t last) {
  hold::NewBatch part;
  part.facts.key = parent.key;
  part.facts.path = path;
  part.facts.kind = parent.kind;
  part.facts.opening = parent.opening;
  part.facts.held_ms = parent.held_ms;
  std::string text;
  for (std::size_t i = first; i < last; ++i) {
    text += lines[i];
    text += '\n';
    if (is_own(lines[i])) ++part.facts.own_lines;
  }
  part.facts.lines = last - first;
  part.facts.bytes = text.size();
  part.body = send::gzip(text);
  return part;
}

bool collect_rejected(const send::Judgement& judgement, const std::vector<std::string>& lines,
                      std::vector<hold::Rejected>& rejected, std::vector<char>& gone) {
  gone.assign(lines.size(), 0);
  for (const send::RejectedLine& one : judgement.rejected) {
    const std::size_t at = one.line - 1;
    // An answer to something else.
    if (at >= lines.size() || (!one.id.empty() && id_in(lines[at]) != one.id)) return false;
    gone[at] = 1;
    rejected.push_back({id_in(lines[at]), one.reason, lines[at], is_own(lines[at])});
  }
  return true;
}

std::string id_in(std::string_view line) {
  constexpr std::string_view before = "{\"id\":\"";
  if (line.substr(0, before.size()) != before) return "";
  return std::string(line.substr(before.size(), system::uuid_text_size));
}

// An unescaped quote cannot stand inside a value, so the device part is found where it is, whatever an app's members
// hold.
bool is_own(std::string_view line) {
  const std::size_t device = line.find("},\"device\":{\"id\":\"");
  if (device == std::string_view::npos) return false;
  const std::size_t seq = line.find("\"seq\":\"", device);
  return seq != std::string_view::npos && line.substr(seq, own_seq.size()) == own_seq;
}

// In the user's part no app may name one.
Purpose purpose_of(std::string_view line) {
  const std::string_view user = line.substr(0, line.find("},\"device\":{"));
  if (user.find("\"purpose\":\"advertising\"") != std::string_view::npos) return Purpose::advertising;
  if (user.find("\"purpose\":\"personalization\"") != std::string_view::npos) return Purpose::personalization;
  return Purpose::analytics;
}

}  // namespace yukha::pipeline
