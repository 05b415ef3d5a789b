// What bodies are checked by, over which scheme and at whose store. AWS's answers are as its API reference
// documents them; radosgw ignores checksums.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <optional>

#include "aws/test_credentials.h"
#include "aws/test_http_server.h"
#include "base/error.h"
#include "base/text.h"
#include "net/test_tls_peer.h"
#include "s3/s3_object_store.h"

namespace segments::s3 {
namespace {

class S3Checksums : public ::testing::Test, protected aws::TestEnvironment {
 protected:
  S3Checksums() {
    set("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE");
    set("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
  }
  // At AWS's own address where `url` is empty.
  Options options_at(const std::string& url) {
    Options out;
    out.bucket = "easy-video";
    out.region = "eu-west-1";
    out.endpoint = aws::endpoint_of("s3", "S3", "eu-west-1", [&](std::string_view name) {
      return name == "AWS_ENDPOINT_URL_S3" && !url.empty() ? std::optional(url) : std::nullopt;
    });
    return out;
  }
  // The payload's hash in the signature, and the checksum beside it.
  std::string guards_of(const Options& options) {
    Bucket bucket(options, credentials_);
    auto call = bucket.call("PutObject", "PUT", "k");
    bucket.set_body(call, aws::memory_body("123456789"));
    EXPECT_EQ(call.body.size, 9u);
    auto begun = bucket.call("CreateMultipartUpload", "POST", "k");
    bucket.announce_bodies(begun);
    EXPECT_EQ(begun.payload_hash, call.payload_hash);
    EXPECT_EQ(!begun.headers.empty(), call.payload_hash == aws::unsigned_payload);
    auto crc = aws::find_header(call.headers, "x-amz-checksum-crc32");
    return call.payload_hash + (crc ? " " + std::string(*crc) : "");
  }
  aws::CredentialProvider credentials_{context()};
};

TEST_F(S3Checksums, StandForSignedPayloadsOnlyWhereTlsGuardsTheWire) {
  const std::string by_crc = "UNSIGNED-PAYLOAD y/Q5Jg==", by_signature;  // the client reads the body for it
  for (const auto& [url, is_aws] : {std::pair("", true), std::pair("https://store.example", false)}) {
    auto options = options_at(url);
    EXPECT_EQ(guards_of(options), is_aws ? by_crc : by_signature) << url;
    options.payload_signing_enabled = false;
    EXPECT_EQ(guards_of(options), by_crc) << url;
    options.payload_signing_enabled = true;
    EXPECT_EQ(guards_of(options), by_signature) << url;
  }
  auto plain = options_at("http://store.example");
  for (auto setting : {std::optional<bool>(), std::optional(false), std::optional(true)}) {
    plain.payload_signing_enabled = setting;
    EXPECT_EQ(guards_of(plain), by_signature);
  }
}

std::string header_of(const std::string& request, const std::string& name) {
  auto at = request.find("\r\n" + name + ": ");
  if (at == request.npos) return "";
  at += name.size() + 4;
  return request.substr(at, request.find("\r\n", at) - at);
}

// AWS, as far as one upload meets it: the parts that came with checksums are listed with them.
class FakeS3 {
 public:
  std::string answer(const std::string& request) {
    auto is = [&](const char* begin, const char* with = "") {
      return request.starts_with(begin) && request.substr(0, request.find('\r')).find(with) != request.npos;
    };
    if (is("POST", "uploads="))
      return aws::http_answer(200,
                              "<InitiateMultipartUploadResult><UploadId>u</UploadId>"
                              "</InitiateMultipartUploadResult>");
    if (is("PUT")) {
      ++puts_;
      if (damaged_ > 0 && damaged_--)
        return aws::http_answer(400,
                                "<Error><Code>BadDigest</Code><Message>The CRC32 you specified did not match "
                                "the calculated checksum.</Message></Error>");
      listed_ += "<Part><PartNumber>" + std::to_string(++parts_) + "</PartNumber><ETag>\"e\"</ETag><Size>" +
                 header_of(request, "content-length") + "</Size><ChecksumCRC32>" +
                 header_of(request, "x-amz-checksum-crc32") + "</ChecksumCRC32></Part>";
      return aws::http_answer(200, "", {{"ETag", "\"e\""}});
    }
    if (is("GET", "uploadId="))
      return aws::http_answer(
          200, "<ListPartsResult><IsTruncated>false</IsTruncated>" + listed_ + "</ListPartsResult>");
    if (is("POST", "uploadId="))
      return aws::http_answer(
          200, "<CompleteMultipartUploadResult><ETag>\"e-2\"</ETag></CompleteMultipartUploadResult>");
    return aws::http_answer(is("DELETE") ? 204 : 200, "");
  }
  void damage(int times) { damaged_ = times; }  // on their way: so many of the next bodies
  int puts() const { return puts_; }

 private:
  std::string listed_;
  int parts_ = 0;
  std::atomic<int> damaged_ = 0, puts_ = 0;
};

class S3ChecksumsSent : public S3Checksums {
 protected:
  S3ChecksumsSent() {
    auto options = options_at("");
    options.endpoint.origin = {"S3", true, "localhost", server_.port()};
    options.style = aws::BucketStyle::path;
    options.http.ca_file = server_.ca_file();
    options.retry = {.most_attempts = 3, .base_ms = 1, .throttled_base_ms = 1};
    store_.emplace(options, credentials_);
  }
  FakeS3 s3_;
  net::TestTlsPeer server_{{.script = [this](const std::string& request) { return s3_.answer(request); }}};
  std::optional<S3ObjectStore> store_;
};

TEST_F(S3ChecksumsSent, GoWithEveryPartOfAnUploadOfOurs) {
  const std::string first(8 << 20, 'a'), last = "123456789";
  auto writer = store_->write_object("k", "video/mp4");
  writer->write(first);
  writer->write(last);
  writer->commit();
  auto requests = server_.requests();
  ASSERT_GE(requests.size(), 5u);
  EXPECT_EQ(header_of(requests[0], "x-amz-checksum-algorithm"), "CRC32") << "else AWS refuses the parts";
  for (int i : {1, 2}) {
    const auto& request = requests[static_cast<std::size_t>(i)];
    EXPECT_EQ(header_of(request, "x-amz-content-sha256"), "UNSIGNED-PAYLOAD");
    EXPECT_EQ(header_of(request, "x-amz-checksum-crc32"),
              aws::base64_crc32(aws::memory_body(i == 1 ? first : last)));
    EXPECT_NE(header_of(request, "authorization").find("x-amz-checksum-crc32;"), std::string::npos)
        << "it is signed: nobody on the way could give another";
  }
  const auto& joining = requests[4];
  ASSERT_TRUE(joining.starts_with("POST")) << joining;
  EXPECT_NE(joining.find("<PartNumber>2</PartNumber><ETag>\"e\"</ETag>"
                         "<ChecksumCRC32>y/Q5Jg==</ChecksumCRC32></Part>"),
            std::string::npos)
      << "AWS refuses to join without them: " << joining;
  auto body = joining.substr(joining.find("\r\n\r\n") + 4);
  EXPECT_EQ(header_of(joining, "x-amz-content-sha256"), aws::hex_sha256(body))
      << "without a checksum, signed";
}

TEST_F(S3ChecksumsSent, AreNotAskedOfClients) {
  // Who puts to a presigned address sends none, and AWS would refuse the part.
  store_->begin_upload("k", "video/mp4", 7);
  EXPECT_EQ(header_of(server_.requests().at(0), "x-amz-checksum-algorithm"), "");
}

// A bucket's policy may deny what is not signed (s3:x-amz-content-sha256).
TEST_F(S3ChecksumsSent, AreTriedByWhoAsksWhetherTheBucketCanBeUsed) {
  store_->check_bucket();
  auto requests = server_.requests();
  auto begun =
      std::ranges::find_if(requests, [](const auto& request) { return request.starts_with("POST"); });
  ASSERT_NE(begun, requests.end());
  EXPECT_EQ(header_of(*begun, "x-amz-content-sha256"), "UNSIGNED-PAYLOAD");
  EXPECT_EQ(header_of(*begun, "x-amz-checksum-algorithm"), "CRC32");
}

TEST_F(S3ChecksumsSent, MakeADamagedBodyGoAgain) {
  s3_.damage(2);
  EXPECT_EQ(store_->put_whole("k", "video/mp4", aws::memory_body("123456789")).etag, "\"e\"");
  EXPECT_EQ(s3_.puts(), 3);
  for (const auto& request : server_.requests()) {
    EXPECT_EQ(header_of(request, "x-amz-checksum-crc32"), "y/Q5Jg==");
    EXPECT_TRUE(request.ends_with("\r\n\r\n123456789"));
  }
}

TEST_F(S3ChecksumsSent, MakeABodyThatIsDamagedEachTimeFail) {
  s3_.damage(1'000);
  try {
    store_->put_whole("k", "video/mp4", aws::memory_body("123456789"));
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    EXPECT_STREQ(error.what(), "S3 could not do it now (BadDigest).");
  }
  EXPECT_EQ(s3_.puts(), 3);
}

}  // namespace
}  // namespace segments::s3
