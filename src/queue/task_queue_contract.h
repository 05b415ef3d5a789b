// What every TaskQueue must do. An implementation instantiates the suite with a factory:
//   INSTANTIATE_TEST_SUITE_P(Embedded, TaskQueueContract, testing::Values(QueueFactory{"embedded", make}));
#pragma once

#include "queue/dead_letter_contract.h"
#include "queue/lease_contract.h"
#include "queue/run_contract.h"
#include "queue/waiting_contract.h"
