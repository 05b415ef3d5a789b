// A row of segments as the JSON of its record, without a Segment between.
#pragma once

#include "sqlite/connection.h"
#include "store/segment_printing.h"

namespace segments::sqlite {

// The row's columns are those of column_names<Segment>(). Writes what print_segment() would of the Segment
// that read_columns() would read.
void print_row(TextSink& out, Statement& row, const PrintThumbnail& print_thumbnail);

}  // namespace segments::sqlite
