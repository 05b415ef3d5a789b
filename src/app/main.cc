#include "app/commands.h"

int main(int count, char** arguments) {
  return segments::run_command({arguments + 1, arguments + count});
}
