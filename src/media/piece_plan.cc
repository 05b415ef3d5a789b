#include "media/piece_plan.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/text.h"

namespace segments {
namespace {

bool has_text(const std::string& text) {
  return !trim(text).empty();
}

PlannedPiece place(const Cut& cut, CuttingMode mode, const MediaInfo& info, const FrameIndex& index) {
  PlannedPiece piece;
  piece.begin = index.nearest(cut.start);
  if (piece.begin >= index.end) piece.begin = index.shown.back();
  // A cut up to the length that was probed means up to the end, wherever the packets put that.
  double half_frame = index.seconds(index.end) / static_cast<double>(index.shown.size()) / 2;
  piece.end = cut.end >= info.duration - half_frame ? index.end : index.nearest(cut.end);
  if (mode == CuttingMode::keyframe) {
    piece.begin = index.key_at_or_before(piece.begin);
    if (piece.end < index.end) piece.end = index.key_at_or_before(piece.end);
  }
  return piece;
}

std::int64_t least_end(const PlannedPiece& piece, CuttingMode mode, const FrameIndex& index) {
  return mode == CuttingMode::keyframe ? index.key_after(piece.begin) : index.after(piece.begin);
}

// A cut without a frame of its own gives way to one that begins at the same place, and else gets the least
// there is.
std::vector<PlannedPiece> fill(std::vector<PlannedPiece> pieces, CuttingMode mode, const FrameIndex& index) {
  std::set<std::int64_t> filled;
  for (const auto& piece : pieces) {
    if (piece.end > piece.begin) filled.insert(piece.begin);
  }
  std::vector<PlannedPiece> kept;
  for (auto& piece : pieces) {
    if (piece.end <= piece.begin) {
      if (!filled.insert(piece.begin).second) continue;
      piece.end = least_end(piece, mode, index);
    }
    kept.push_back(std::move(piece));
  }
  return kept;
}

void drop_same(std::vector<PlannedPiece>& pieces) {
  std::set<std::pair<std::int64_t, std::int64_t>> seen;
  std::erase_if(pieces,
                [&](const PlannedPiece& piece) { return !seen.emplace(piece.begin, piece.end).second; });
}

}  // namespace

std::vector<PlannedPiece> plan_pieces(const CutRequest& request, const MediaInfo& info,
                                      const FrameIndex& index) {
  std::vector<PlannedPiece> pieces;
  for (std::size_t i = 0; i < request.cuts.size(); ++i) {
    const Cut& cut = request.cuts[i];
    if (cut.start >= index.seconds(index.end) || cut.end <= cut.start) continue;
    PlannedPiece piece = place(cut, request.mode, info, index);
    if (i < request.texts.size() && has_text(request.texts[i])) piece.text = request.texts[i];
    piece.is_exact = request.mode == CuttingMode::exact || !piece.text.empty();
    pieces.push_back(std::move(piece));
  }
  pieces = fill(std::move(pieces), request.mode, index);
  if (request.mode == CuttingMode::keyframe) drop_same(pieces);
  if (pieces.empty()) throw Error(ErrorKind::invalid, "None of the cuts lies within the video.");
  return pieces;
}

}  // namespace segments
