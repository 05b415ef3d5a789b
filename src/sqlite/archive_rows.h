// Records as the tables hold them. The functions run inside the caller's transaction.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sqlite/connection.h"
#include "store/archive.h"

namespace segments::sqlite {

// As Archive says: pages of one kind after the other.
RecordPage list_records(Connection&, std::string_view cursor, std::size_t limit, Millis as_of);

// What is stored under the record's id.
std::optional<VideoRecord> find_record(Connection&, const VideoRecord& like);
std::optional<SegmentRecord> find_record(Connection&, const SegmentRecord& like);
std::optional<RequestRecord> find_record(Connection&, const RequestRecord& like);
std::optional<TotalRecord> find_record(Connection&, const TotalRecord& like);
std::optional<ReadingRecord> find_record(Connection&, const ReadingRecord& like);

// Where another or none is stored.
void put_record(Connection&, const VideoRecord&);
void put_record(Connection&, const SegmentRecord&);
void put_record(Connection&, const RequestRecord&);
void put_record(Connection&, const TotalRecord&);
void put_record(Connection&, const ReadingRecord&);

void remove_record(Connection&, const VideoRecord&);
void remove_record(Connection&, const SegmentRecord&);
void remove_record(Connection&, const RequestRecord&);
void remove_record(Connection&, const TotalRecord&);
void remove_record(Connection&, const ReadingRecord&);

// True where the reading's segment is not there.
bool has_no_segment(Connection&, const ReadingRecord&);

}  // namespace segments::sqlite
