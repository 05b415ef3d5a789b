// The tables of the stores' file.
#pragma once

#include "sqlite/migrations.h"

namespace segments::sqlite {

const Schema& store_schema();

}  // namespace segments::sqlite
