#include "hold/queue/open_chunks.hpp"

#include <algorithm>
#include <string_view>

namespace yukha::hold {

OpenChunks::First OpenChunks::first(Kind kind) const noexcept {
  Fill fill;
  First first;
  const std::vector<Chunk>& chunks = of(kind);
  for (const Chunk& chunk : chunks) {
    const bool apart = is_copied(chunk) != is_copied(chunks.front());
    if (first.chunks > 0 && (apart || !fits(fill, chunk.lines, chunk.bytes))) {
      first.full = true;
      break;
    }
    // Nothing will be added to what came with a copy.
    if (is_copied(chunk)) first.full = true;
    fill.lines += chunk.lines;
    fill.bytes += chunk.bytes;
    ++first.chunks;
  }
  if (fill.lines >= limits_.lines_max) first.full = true;
  return first;
}

std::vector<Piece> OpenChunks::cut(const Drained& drained, Kind kind, std::int64_t opening) const {
  Fill fill = those(kind).fill;
  std::vector<Piece> pieces(1);
  pieces.back().joins_newest = fill.lines > 0;
  const auto add = [&](std::string_view line, std::size_t own_lines) {
    // Where a batch ends a piece ends, for sealing joins whole chunks.
    if (!fits(fill, 1, line.size() + 1)) {
      pieces.back().full = true;
      pieces.emplace_back();
      fill = {};
    }
    Unsealed& lines = pieces.back().lines;
    lines.lines_text += line;
    lines.lines_text += '\n';
    ++lines.lines;
    lines.own_lines += own_lines;
    ++fill.lines;
    fill.bytes += line.size() + 1;
  };
  if (kind.index() == 0 && !drained.own_line.empty()) add(drained.own_line, 1);
  for (const RingLine& line : drained.lines) {
    if (line.kind.index() == kind.index()) add(line.text, 0);
  }
  pieces.back().full = fill.lines >= limits_.lines_max;
  // The newest batch may have been full already.
  pieces.erase(std::remove_if(pieces.begin(), pieces.end(), [](const Piece& one) { return one.lines.lines == 0; }),
               pieces.end());
  for (Piece& piece : pieces) {
    piece.lines.kind = kind;
    piece.lines.opening = opening;
    piece.lines.held_ms = drained.held_ms;
  }
  return pieces;
}

bool OpenChunks::are_completed_by(const Piece& piece) const noexcept {
  const OfKind& kind = those(piece.lines.kind);
  std::size_t lines = 0;
  for (const Chunk& chunk : kind.chunks) lines += chunk.lines;
  return piece.joins_newest && !kind.chunks.empty() && !is_copied(kind.chunks.front()) && lines == kind.fill.lines;
}

void OpenChunks::add(const Chunk& chunk) {
  OfKind& kind = those(chunk.kind);
  kind.chunks.push_back(chunk);
  count_in(kind.fill, chunk);
}

void OpenChunks::remove_first(Kind kind, std::size_t count) {
  OfKind& waiting = those(kind);
  waiting.chunks.erase(waiting.chunks.begin(), waiting.chunks.begin() + static_cast<std::ptrdiff_t>(count));
  recount(waiting);
}

void OpenChunks::mark_copied(std::int64_t copied_until) noexcept {
  copied_until_ = copied_until;
  for (OfKind& kind : kinds_) recount(kind);
}

void OpenChunks::count_in(Fill& fill, const Chunk& chunk) const noexcept {
  if (is_copied(chunk)) return;
  if (!fits(fill, chunk.lines, chunk.bytes)) fill = {};
  fill.lines += chunk.lines;
  fill.bytes += chunk.bytes;
}

void OpenChunks::recount(OfKind& kind) const noexcept {
  kind.fill = {};
  for (const Chunk& chunk : kind.chunks) count_in(kind.fill, chunk);
}

}  // namespace yukha::hold
