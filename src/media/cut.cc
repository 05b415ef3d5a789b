#include "media/cut.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/log.h"
#include "media/exact_cut.h"
#include "media/input.h"
#include "media/remux.h"

namespace segments {
namespace {

constexpr Container encoded{"mp4", "mp4", "video/mp4"};

// The files of one cutting, which go away again unless all of it succeeds.
class Pieces {
 public:
  using OnPiece = std::function<void(std::size_t, const Piece&)>;

  Pieces(const CutRequest& request, const MediaInfo& info, const OnPiece& on_piece)
      : request_(request),
        info_(info),
        on_piece_(on_piece),
        deadline_(steady_ms() + request.limits.seconds * Millis{1000}),
        index_(index_frames(request.source, deadline_)),
        plan_(plan_pieces(request, info, index_)),
        made_(plan_.size()) {}

  Cutting run() {
    try {
      if (request_.mode == CuttingMode::keyframe) copy();
      encode();
    } catch (...) {
      remove_files();
      throw;
    }
    // What cannot be decoded at all gives no piece.
    std::erase_if(made_, [](const Piece& piece) { return piece.path.empty(); });
    if (made_.empty()) throw not_a_video();
    return {std::move(made_), index_.seconds(index_.end), lost_};
  }

 private:
  void copy() {
    const Container* container = container_for(request_.source, index_);
    auto chosen = choose([&](std::size_t i) { return container && !plan_[i].is_exact; });
    if (chosen.numbers.empty()) return;
    auto paths = name(chosen.numbers, *container);
    try {
      remux_pieces(request_, index_, *container, chosen.pieces, paths, deadline_,
                   [&](std::size_t i) { note(chosen.numbers[i], *container, paths[i]); });
    } catch (const Error& error) {
      // Streams that no container takes as they are (broken times, unknown profiles) are encoded instead.
      if (error.kind() != ErrorKind::invalid) throw;
      for (std::size_t i = 0; i < paths.size(); ++i) {
        if (!is_done_[chosen.numbers[i]]) std::filesystem::remove(paths[i]);
      }
    }
  }

  void encode() {
    auto chosen = choose([&](std::size_t i) { return !is_done_[i]; });
    if (chosen.numbers.empty()) return;
    auto paths = name(chosen.numbers, encoded);
    encode_pieces(request_, info_, index_, chosen.pieces, paths, deadline_,
                  [&](std::size_t i) { note(chosen.numbers[i], encoded, paths[i]); });
  }

  struct Chosen {
    std::vector<std::size_t> numbers;
    std::vector<PlannedPiece> pieces;
  };
  template <class Wanted>
  Chosen choose(Wanted wanted) const {
    Chosen chosen;
    for (std::size_t i = 0; i < plan_.size(); ++i) {
      if (!wanted(i)) continue;
      chosen.numbers.push_back(i);
      chosen.pieces.push_back(plan_[i]);
    }
    return chosen;
  }

  std::vector<std::string> name(const std::vector<std::size_t>& numbers, const Container& container) {
    std::vector<std::string> paths;
    for (std::size_t number : numbers) {
      char file[64];
      std::snprintf(file, sizeof file, "segment_%03zu.%s", number + 1, container.extension);
      paths.push_back((std::filesystem::path(request_.output_dir) / file).string());
    }
    files_.insert(files_.end(), paths.begin(), paths.end());
    return paths;
  }

  void note(std::size_t number, const Container& container, const std::string& path) {
    is_done_[number] = true;
    Piece piece{path,
                container.content_type,
                container.extension,
                index_.seconds(plan_[number].begin),
                index_.seconds(plan_[number].end),
                0};
    MediaInfo info;
    try {
      info = probe_media(path);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::invalid) throw;
    }
    lost_ += std::max(0.0, piece.end - piece.start - (info.has_video ? info.duration : 0));
    if (!info.has_video) {
      log_warning("media.piece_without_picture", {{"start", piece.start}, {"end", piece.end}});
      std::filesystem::remove(path);
      return;
    }
    piece.duration = info.duration;
    made_[number] = piece;
    on_piece_(number, piece);
  }

  void remove_files() {
    std::error_code ignored;
    for (const auto& file : files_) std::filesystem::remove(file, ignored);
  }

  const CutRequest& request_;
  const MediaInfo& info_;
  const OnPiece& on_piece_;
  Millis deadline_;
  FrameIndex index_;
  std::vector<PlannedPiece> plan_;
  std::vector<Piece> made_;
  double lost_ = 0;
  std::vector<bool> is_done_ = std::vector<bool>(plan_.size(), false);
  std::vector<std::string> files_;
};

}  // namespace

Cutting cut_media(const CutRequest& request, const MediaInfo& info,
                  const std::function<void(std::size_t, const Piece&)>& on_piece) {
  return Pieces(request, info, on_piece).run();
}

}  // namespace segments
