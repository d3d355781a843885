// The lines of a batch: its key, its body, and the batches that are made of some of them. Nothing here has a state.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <yukha/event.hpp>

#include "hold/queue/queue.hpp"
#include "send/verdict.hpp"

namespace yukha::pipeline {

constexpr std::size_t path_letters_max = 16;  // send/CONTRACT.md, "The key": levels of a split

// Derived from the lines, so that copies of a queue that seal the same lines make the same key (RFC 9562, version 8).
std::string key_of(std::string_view lines);
// As the header Idempotency-Key has it, without its quotes.
std::string idempotency_key(const hold::Batch& batch);

// False without memory.
bool seal_lines(std::string_view lines, std::string& key, std::string& body);
// What gzip hides, up to a limit; false when it is no body of ours.
bool read_text(const std::string& body, std::string& text);
bool read_lines(const std::string& body, std::vector<std::string>& lines);

// The batch of the lines from `first` to before `last`, under the parent's key and this path.
hold::NewBatch part_of(const hold::Batch& parent, const std::string& path, const std::vector<std::string>& lines,
                       std::size_t first, std::size_t last);
// Those that the endpoint rejected, and for each line whether it is one of them. False when the answer names lines that
// were not sent.
bool collect_rejected(const send::Judgement& judgement, const std::vector<std::string>& lines,
                      std::vector<hold::Rejected>& rejected, std::vector<char>& gone);

// The sentence's id, or nothing.
std::string id_in(std::string_view line);
// Whether the library wrote the sentence itself.
bool is_own(std::string_view line);
Purpose purpose_of(std::string_view line);

}  // namespace yukha::pipeline
