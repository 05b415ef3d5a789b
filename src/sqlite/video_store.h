// Videos, which are also jobs, in SQLite.
#pragma once

#include "sqlite/database.h"
#include "store/video_store.h"

namespace segments::sqlite {

class SqliteVideoStore : public VideoStore {
 public:
  explicit SqliteVideoStore(Database& database) : database_(database) {}

  bool claim_video(std::string_view video_id, std::string_view user_id, bool take_over) override;
  std::optional<std::string> find_owner(std::string_view video_id) override;
  std::optional<Video> find_video(std::string_view video_id) override;
  bool create_video(const Video&, std::string_view task_arguments) override;
  std::vector<WaitingVideo> list_waiting_videos(Millis before, std::string_view after,
                                                std::size_t limit) override;
  VideoPage list_videos(const std::optional<std::string>& user_id, std::int64_t limit,
                        std::int64_t offset) override;
  void begin_removal(std::string_view video_id) override;
  bool remove_video(std::string_view video_id) override;
  bool put_progress(const JobProgress&, bool restart) override;
  bool update_video(std::string_view video_id, std::optional<double> duration,
                    const std::optional<std::vector<std::string>>& output_keys,
                    const std::optional<std::string>& task_id) override;

 private:
  Database& database_;
};

}  // namespace segments::sqlite
