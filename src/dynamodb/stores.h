// The stores on one DynamoDB table (table_definition.h). Any thread may use them; any number of processes may
// use the same table at once. The events are kept elsewhere: the stores append each after its change.
#pragma once

#include <memory>
#include <string>

#include "aws/client.h"
#include "base/metrics.h"
#include "store/stores.h"

namespace segments {

class DynamoStores : public Stores {
 public:
  // Nothing is asked of AWS yet. Client and events must outlive it.
  DynamoStores(aws::Client&, std::string table_name, EventLog&, Metrics* = nullptr);
  ~DynamoStores() override;
  DynamoStores(const DynamoStores&) = delete;
  DynamoStores& operator=(const DynamoStores&) = delete;

  SegmentStore& segments() override;
  VideoStore& videos() override;
  EventLog& events() override;
  Totals& totals() override;
  Archive& archive() override;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace segments
