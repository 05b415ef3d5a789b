#include "store/archive.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <tuple>

#include "base/crypto.h"
#include "base/text.h"
#include "describe/encode.h"

namespace segments {
namespace {

constexpr std::size_t page_of_sum = 1'000;

// Nothing between 0 and 1e-130 is kept everywhere, nor the sign of 0.
void make_canonical(double& number) {
  if (std::abs(number) < 1e-130) number = 0;
}

void make_canonical(Segment& segment) {
  make_canonical(segment.duration);
  for (auto& usage : segment.social_media_usage)
    if (usage.engagement_rate) make_canonical(*usage.engagement_rate);
}

int value_of(char hex) {
  return hex <= '9' ? hex - '0' : hex - 'a' + 10;
}

struct Titles {
  std::string operator()(const VideoRecord& record) const { return "the video " + record.video_id; }
  std::string operator()(const SegmentRecord& record) const {
    return "the segment " + record.segment.segment_id;
  }
  std::string operator()(const RequestRecord& record) const {
    return "the idempotency key " + record.key + " of " + record.user_id;
  }
  std::string operator()(const TotalRecord& record) const { return "the total " + record.name; }
  std::string operator()(const ReadingRecord& record) const {
    return "the reading of " + record.segment_id + ", " + std::string(name_of(record.platform)) + " " +
           record.post_id + " at " + record.reading.read_at;
  }
};

}  // namespace

std::string title_of(const Record& record) {
  return std::visit(Titles{}, record);
}

void make_canonical(Record& record) {
  if (auto* video = std::get_if<VideoRecord>(&record)) {
    // Whose an id was is kept where that decides who may have it.
    if (!video->is_claimed && !video->is_removed) video->owner.reset();
    if (!video->video) return;
    make_canonical(video->video->progress);
    if (video->video->duration) make_canonical(*video->video->duration);
  } else if (auto* segment = std::get_if<SegmentRecord>(&record)) {
    make_canonical(segment->segment);
    std::ranges::sort(segment->followed, {},
                      [](const FollowRecord& one) { return std::tuple(one.platform, one.post_id); });
  } else if (auto* request = std::get_if<RequestRecord>(&record)) {
    make_canonical(request->segment);
  }
}

void add_to_sum(KindSum& to, std::string_view text) {
  const std::string digest = encode_hex(sha256(text));
  int carry = 0;
  for (std::size_t i = digest.size(); i-- > 0;) {
    const int sum = value_of(to.sum[i]) + value_of(digest[i]) + carry;
    to.sum[i] = "0123456789abcdef"[sum & 15];
    carry = sum >> 4;
  }
  ++to.count;
}

void RecordSums::add(const Record& record) {
  add_to_sum(kinds.at(record.index()), std::visit([](const auto& one) { return encode(one); }, record));
}

RecordSums sum_records(Archive& archive, Millis as_of) {
  RecordSums sums;
  std::string cursor;
  do {
    auto page = archive.list_records(cursor, page_of_sum, as_of);
    for (const auto& record : page.records) sums.add(record);
    cursor = std::move(page.next);
  } while (!cursor.empty());
  return sums;
}

}  // namespace segments
