#include "celery/name_match.h"

#include "celery/json.h"
#include "celery/python_test.h"

namespace segments::celery {
namespace {

TEST(NameMatch, IsPythonsOnRandomPatterns) {
  auto lines = run_python(R"py(
import re, fnmatch
for i in range(4000):
    name = ''.join(rng.choice('ab@.-1') for _ in range(rng.randrange(0, 8)))
    glob = ''.join(rng.choice('ab@.-1**??[]!') for _ in range(rng.randrange(0, 8)))
    put('glob', name, glob, fnmatch.fnmatchcase(name, glob))
atoms = ['a', 'b', '@', r'\.', '.', '-', '[ab]', '[^a]', '[a-c1]', r'\d', r'\w', r'\s', r'\W', '(a|b)', '(?:ab|)', '^', '$', r'\b', r'[\w-]', '(a*b)']
count = 0
while count < 4000:
    name = ''.join(rng.choice('ab@.-1 ') for _ in range(rng.randrange(0, 8)))
    pattern = ''.join(rng.choice(atoms) + rng.choice(['', '', '', '*', '+', '?', '{2}', '{1,2}', '{2,}', '*?', '|']) for _ in range(rng.randrange(0, 5)))
    try: found = re.match(pattern, name) is not None
    except re.error: continue
    count += 1
    put('pcre', name, pattern, found)
)py");
  ASSERT_EQ(lines.size(), 8'000u);
  for (const auto& line : lines) {
    auto row = read_json(line)->items();
    bool found = row[0].text() == "glob" ? matches_glob(row[1].text(), row[2].text())
                                         : matches_regex(row[1].text(), row[2].text());
    ASSERT_EQ(found, row[3].boolean()) << line;
  }
}

TEST(NameMatch, HostilePatternsMatchNobodySoon) {
  for (const char* pattern :
       {"*", "(", ")", "[", "a**", "(?=a)", "\\1", "a{3,2}", "[b-a]", "\\", "(?P<x"})
    EXPECT_FALSE(matches_regex("a", pattern)) << pattern;
  EXPECT_FALSE(matches_regex(std::string(900, 'a'), "(a*)*(a*)*(a*)*b"));
  EXPECT_FALSE(matches_regex("a", "((a{100}){100}){100}"));
  EXPECT_FALSE(matches_regex("a", std::string(900, '(')));
  EXPECT_FALSE(matches_glob(std::string(900, 'a'), std::string(499, '*') + "a*a*a*b"));
  EXPECT_FALSE(matches_regex("a", "a{99999999999999999999}"));
  EXPECT_TRUE(matches_regex("celery@host", "celery@(host|other)$"));
}

}  // namespace
}  // namespace segments::celery
