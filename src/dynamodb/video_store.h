// The videos of the cloud's store. Every change is one conditional write of the video's item; its event is
// appended afterwards.
#pragma once

#include <functional>

#include "dynamodb/table.h"
#include "dynamodb/video_item.h"
#include "store/event_log.h"
#include "store/video_store.h"

namespace segments::dynamodb {

class DynamoVideoStore : public VideoStore {
 public:
  DynamoVideoStore(Table& table, EventLog& events) : table_(table), events_(events) {}

  bool claim_video(std::string_view video_id, std::string_view user_id, bool take_over) override;
  std::optional<std::string> find_owner(std::string_view video_id) override;
  std::optional<Video> find_video(std::string_view video_id) override;
  bool create_video(const Video&, std::string_view task_arguments) override;
  std::vector<WaitingVideo> list_waiting_videos(Millis before, std::string_view after,
                                                std::size_t limit) override;
  // The keys of all of the user's videos are read, or of everybody's: half a unit for about 40. A video is
  // listed soon after it was created, perhaps not at once.
  VideoPage list_videos(const std::optional<std::string>& user_id, std::int64_t limit,
                        std::int64_t offset) override;
  void begin_removal(std::string_view video_id) override;
  bool remove_video(std::string_view video_id) override;
  bool put_progress(const JobProgress&, bool restart) override;
  bool update_video(std::string_view video_id, std::optional<double> duration,
                    const std::optional<std::vector<std::string>>& output_keys,
                    const std::optional<std::string>& task_id) override;

 private:
  std::optional<Item> find_item(std::string_view video_id);
  // Reads the video, lets `change` say what is to be set (std::nullopt: nothing), and writes that unless
  // somebody else wrote meanwhile; then all of it again. False where there is no video or nothing to be set.
  // Members whose attribute is std::nullopt are removed.
  using Members = std::map<std::string, std::optional<Attribute>>;
  bool change_video(std::string_view video_id,
                    const std::function<std::optional<Members>(const StoredVideo&)>& change);
  bool write(const StoredVideo& before, const Members&);

  Table& table_;
  EventLog& events_;
};

}  // namespace segments::dynamodb
