#include "sqlite/idempotency.h"

#include "sqlite/binding.h"

namespace segments::sqlite {

namespace {

constexpr Millis kept_for = 24 * 3'600'000;
constexpr int forgotten_at_once = 4;

}  // namespace

std::optional<KeptRequest> find_kept_request(Connection& connection, const IdempotencyKey& key, Millis now) {
  auto select = connection.prepare(
      "SELECT \"fingerprint\", \"segment\" FROM \"idempotency\" WHERE \"user_id\" = ? AND \"key\" = ? AND "
      "\"expires_at\" > ?");
  if (!select.with(key.user_id, key.key, now).step()) return std::nullopt;
  std::optional<KeptRequest> kept(std::in_place);
  kept->fingerprint = select.text(0);
  read_stored(kept->segment, select.text(1));
  return kept;
}

void keep_request(Connection& connection, const IdempotencyKey& key, const Segment& segment, Millis now) {
  connection.run(
      "DELETE FROM \"idempotency\" WHERE rowid IN "
      "(SELECT rowid FROM \"idempotency\" WHERE \"expires_at\" <= ? ORDER BY \"expires_at\" LIMIT ?)",
      now, forgotten_at_once);
  const std::string json = encode(segment);
  connection.run(
      "INSERT OR REPLACE INTO \"idempotency\" (\"user_id\", \"key\", \"fingerprint\", \"expires_at\", "
      "\"segment\") "
      "VALUES (?, ?, ?, ?, ?)",
      key.user_id, key.key, key.fingerprint, now + kept_for, json);
}

}  // namespace segments::sqlite
