// What S3's documents say, as AWS's API reference shows them and as radosgw writes them.
#include "s3/answers.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/time.h"
#include "s3/upload.h"
#include "s3/writing.h"

namespace segments::s3 {
namespace {

TEST(S3Answers, ReadAListOfObjects) {
  auto page = parse_object_list(R"(<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix/><KeyCount>2</KeyCount>
  <MaxKeys>1000</MaxKeys><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>
  <NextContinuationToken>1ueGcxLPRx1Tr</NextContinuationToken>
  <Contents><Key>uploads/v/my+clip%2B%26%C3%BC.mp4</Key><LastModified>2026-11-22T17:00:00.000Z</LastModified>
    <ETag>&quot;fba9dede5f27731c9771645a39863328&quot;</ETag><Size>434234</Size><StorageClass>STANDARD</StorageClass></Contents>
  <Contents><Key>z</Key><LastModified>2026-11-22T17:00:01.500Z</LastModified><ETag>0-1</ETag><Size>0</Size></Contents>
</ListBucketResult>)");
  ASSERT_TRUE(page);
  EXPECT_FALSE(page->is_last);
  ASSERT_EQ(page->objects.size(), 2u);
  EXPECT_EQ(page->objects[0].key, "uploads/v/my clip+&ü.mp4");
  EXPECT_EQ(page->objects[0].size, 434'234);
  EXPECT_EQ(page->objects[0].etag, "\"fba9dede5f27731c9771645a39863328\"");
  EXPECT_EQ(format_time(page->objects[0].modified), "2026-11-22T17:00:00.000Z");
  EXPECT_EQ(page->objects[1].etag, "\"0-1\"") << "quoted, where S3's kin leave that out";
  // A store that does not know the encoding gives keys as they are.
  page = parse_object_list(
      "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a+%2B</Key><Size>1</Size>"
      "<LastModified>2026-11-22T17:00:00Z</LastModified></Contents></ListBucketResult>");
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->is_last);
  EXPECT_EQ(page->objects[0].key, "a+%2B");
}

TEST(S3Answers, ReadAListOfParts) {
  auto page = parse_part_list(
      R"(<ListPartsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>b</Bucket><Key>k</Key><UploadId>X</UploadId>
  <PartNumberMarker>1</PartNumberMarker><NextPartNumberMarker>3</NextPartNumberMarker><MaxParts>2</MaxParts><IsTruncated>true</IsTruncated>
  <Part><PartNumber>2</PartNumber><LastModified>2010-11-10T20:48:34.000Z</LastModified><ETag>"7778aef83f66abc1fa1e8477f296d394"</ETag><Size>10485760</Size><ChecksumCRC32>y/Q5Jg==</ChecksumCRC32></Part>
  <Part><PartNumber>3</PartNumber><LastModified>2010-11-10T20:48:33.000Z</LastModified><ETag>&quot;aaaa18db4cc2f85cedef654fccc4a4x8&quot;</ETag><Size>10</Size></Part>
</ListPartsResult>)");
  ASSERT_TRUE(page);
  EXPECT_FALSE(page->is_last);
  ASSERT_EQ(page->parts.size(), 2u);
  EXPECT_EQ(page->parts.at(2).size, 10'485'760);
  EXPECT_EQ(page->parts.at(2).crc32, "y/Q5Jg==");
  EXPECT_EQ(page->parts.at(3).etag, "\"aaaa18db4cc2f85cedef654fccc4a4x8\"");
  EXPECT_EQ(page->parts.at(3).crc32, "");
}

TEST(S3Answers, ReadWhatAnUploadIsToldOf) {
  EXPECT_EQ(parse_begun_upload("<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key>"
                               "<UploadId>VXBsb2Fk.x_-</UploadId></InitiateMultipartUploadResult>"),
            "VXBsb2Fk.x_-");
  EXPECT_EQ(parse_completed_etag(
                "<CompleteMultipartUploadResult><ETag>\"3858-9\"</ETag></CompleteMultipartUploadResult>"),
            "\"3858-9\"");
  const char* error =
      "<Error><Code>InvalidPart</Code><UploadId>x</UploadId><PartNumber>7</PartNumber></Error>";
  EXPECT_EQ(text_of_error(error, "PartNumber"), "7");
  EXPECT_EQ(text_of_error(error, "Region"), "");
  EXPECT_EQ(text_of_error("no XML", "Region"), "");
}

TEST(S3Answers, AreNotGuessed) {
  const char* bad[] = {
      "",
      "<",
      "<html><body>proxy</body></html>",
      "<ListBucketResult>",
      "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
      "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size>"
      "<LastModified>2026-11-22T17:00:00Z</LastModified></Contents></ListBucketResult>",
      "<ListBucketResult><Contents><Key>a</Key><Size>1</Size>"
      "<LastModified>yesterday</LastModified></Contents></ListBucketResult>",
      "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%zz</Key><Size>1</Size>"
      "<LastModified>2026-11-22T17:00:00Z</LastModified></Contents></ListBucketResult>"};
  for (const char* xml : bad) EXPECT_FALSE(parse_object_list(xml)) << xml;
  for (const char* part : {"<PartNumber>0</PartNumber><Size>1</Size>", "<PartNumber>1</PartNumber>",
                           "<PartNumber>10001</PartNumber><Size>1</Size>", "<Size>1</Size>"}) {
    auto xml = std::string("<ListPartsResult><Part>") + part + "</Part></ListPartsResult>";
    EXPECT_FALSE(parse_part_list(xml)) << xml;
  }
  EXPECT_FALSE(parse_begun_upload("<InitiateMultipartUploadResult/>"));
  EXPECT_FALSE(parse_completed_etag("<Error><ETag>x</ETag></Error>"));
}

TEST(S3Answers, WriteACompletion) {
  EXPECT_EQ(
      completion_of({{1, "abc"}, {10, "\"a<&>b\""}}, {}),
      "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Part><PartNumber>1"
      "</PartNumber><ETag>\"abc\"</ETag></Part><Part><PartNumber>10</PartNumber><ETag>\"a&lt;&amp;&gt;b\""
      "</ETag></Part></CompleteMultipartUpload>");
  ListedPart with, without;
  with.crc32 = "y/Q5Jg==";
  EXPECT_EQ(completion_of({{1, "\"a\""}, {2, "\"b\""}}, {{1, with}, {2, without}, {3, with}}),
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Part><PartNumber>1"
            "</PartNumber><ETag>\"a\"</ETag><ChecksumCRC32>y/Q5Jg==</ChecksumCRC32></Part><Part><PartNumber>2"
            "</PartNumber><ETag>\"b\"</ETag></Part></CompleteMultipartUpload>");
}

TEST(S3UploadId, ComesBackAsItWas) {
  UploadId upload{.mark = std::string(32, 'a'), .size = 12, .id = "2~a.b_c-D/+="};
  auto read = parse_upload(text_of(upload));
  EXPECT_EQ(read.mark, upload.mark);
  EXPECT_EQ(read.size, upload.size);
  EXPECT_EQ(read.id, upload.id);
  upload.size.reset();
  EXPECT_FALSE(parse_upload(text_of(upload)).size);
}

TEST(S3UploadId, IsNothingElse) {
  const std::string mark(32, '0');
  for (const auto& text :
       std::vector<std::string>{std::string(), mark, mark + ".", mark + ".1", mark + ".1.", mark + "..x",
                                mark + ".-1.x", mark + ".a.x", mark + "x1.y", std::string(31, '0') + ".1.x",
                                std::string(32, 'A') + ".1.x", "plain", mark + ".1.a\nb", mark + ".1.\xff",
                                mark + ".1." + std::string(2'000, 'x'), std::string(40, '\0')})
    EXPECT_THROW(parse_upload(text), Error) << text;
}

TEST(S3Writing, HasFewEnoughParts) {
  constexpr std::int64_t gibibyte = 1 << 30;
  for (std::int64_t size : {std::int64_t{17} << 20, 160 * gibibyte, 5 * 1024 * gibibyte}) {
    auto part = file_part_bytes(size);
    EXPECT_LE((size + part - 1) / part, 10'000) << size;
    EXPECT_GE(part, 5 << 20);
  }
  EXPECT_EQ(streamed_part_bytes(1), 8 << 20);
  std::int64_t streamed = 0;
  for (int number = 1; number <= 10'000; ++number) streamed += streamed_part_bytes(number);
  EXPECT_GT(streamed, 290 * gibibyte);
  EXPECT_LE(streamed_part_bytes(10'000), 64 << 20) << "as much memory as a writer takes";
}

}  // namespace
}  // namespace segments::s3
