// What radosgw cannot show: answers in AWS's own words, as its API reference documents them, and the shape of
// the requests that only AWS takes. See tests/engines/deviations.md.
#include <gtest/gtest.h>

#include <map>
#include <mutex>

#include "aws/test_credentials.h"
#include "base/error.h"
#include "s3/s3_object_store.h"

namespace segments::s3 {
namespace {

using Answer = aws::TestHttpServer::Answer;
using Received = aws::TestHttpServer::Received;
using Then = aws::TestHttpServer::Then;

Answer refusal(int status, const std::string& code, const std::string& more = "",
               const aws::Headers& headers = {}) {
  return {aws::http_answer(status,
                           "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>" + code +
                               "</Code><Message>Why.</Message>" + more +
                               "<RequestId>656c76696e6727</RequestId><HostId>Uuag1LuByRx9</HostId></Error>",
                           headers)};
}

// The operation, as far as these tests need it told.
std::string operation_of(const Received& request) {
  auto has = [&](const char* text) { return request.target.find(text) != std::string::npos; };
  if (request.method == "HEAD") return "Head";
  if (has("uploads=")) return "Begin";
  if (request.method == "GET" && has("uploadId=")) return "ListParts";
  if (request.method == "POST" && has("uploadId=")) return "Complete";
  if (request.method == "DELETE" && has("uploadId=")) return "Abort";
  if (has("list-type=2")) return "List";
  return request.method == "GET" ? "Get" : "Put";
}

class S3OfAws : public ::testing::Test, protected aws::TestEnvironment {
 protected:
  S3OfAws() {
    set("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE");
    set("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
  }
  Options options() const {
    Options out;
    out.bucket = "easy-video";
    out.region = "eu-west-1";
    out.endpoint = aws::endpoint_of("s3", "S3", "eu-west-1", [](std::string_view) { return std::nullopt; });
    return out;
  }
  // At the scripted server instead of AWS, and quick to try again.
  Options scripted() const {
    auto out = options();
    out.endpoint = {server_.origin("S3"), true};
    out.retry = {.most_attempts = 3, .base_ms = 1, .throttled_base_ms = 1};
    return out;
  }
  // The next answers to an operation; the last one is given again and again.
  void answer(const std::string& operation, std::vector<Answer> answers) {
    std::lock_guard lock(mutex_);
    answers_[operation] = std::move(answers);
  }
  static Answer parts(const std::vector<std::int64_t>& sizes) {
    std::string xml = "<ListPartsResult><IsTruncated>false</IsTruncated>";
    for (std::size_t i = 0; i < sizes.size(); ++i)
      xml += "<Part><PartNumber>" + std::to_string(i + 1) + "</PartNumber><ETag>\"" + std::to_string(i + 1) +
             "\"</ETag><Size>" + std::to_string(sizes[i]) + "</Size></Part>";
    return {aws::http_answer(200, xml + "</ListPartsResult>")};
  }
  static Answer object(const std::string& mark) {
    return {aws::http_answer(200, "",
                             {{"ETag", "\"e-2\""},
                              {"Content-Type", "video/mp4"},
                              {"Last-Modified", "Sun, 22 Nov 2026 17:00:00 GMT"},
                              {"x-amz-meta-segments-upload", mark}})};
  }
  Error refused(const std::function<void()>& action) {
    try {
      action();
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "nothing was thrown";
    return Error(ErrorKind::internal, "");
  }
  std::string complaint(const std::function<void()>& action) {
    auto error = refused(action);
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    return error.what();
  }

  const std::string mark_ = std::string(32, 'a');
  const std::string id_ = mark_ + ".0.exampleTUVGhvcyI";
  const std::vector<UploadPart> two_ = {{1, "1"}, {2, "2"}};
  std::mutex mutex_;
  std::map<std::string, std::vector<Answer>> answers_;
  aws::TestHttpServer server_{[this](const Received& request) {
    std::lock_guard lock(mutex_);
    auto& left = answers_[operation_of(request)];
    if (left.empty()) return refusal(501, "NotScripted");
    auto next = left.front();
    if (left.size() > 1) left.erase(left.begin());
    return next;
  }};
  aws::CredentialProvider credentials_{context()};
};

TEST_F(S3OfAws, IsAddressedByTheBucketsHost) {
  S3ObjectStore store(options(), credentials_);
  PresignRequest request;
  request.key = "uploads/v/a b+c.mp4";
  auto url = store.presign(request).url;
  EXPECT_TRUE(url.starts_with("https://easy-video.s3.eu-west-1.amazonaws.com/uploads/v/a%20b%2Bc.mp4?"))
      << url;
  EXPECT_NE(url.find("%2Feu-west-1%2Fs3%2Faws4_request"), std::string::npos) << "the scope's region";
  auto dotted = options();
  dotted.bucket = "easy.video";
  url = S3ObjectStore(dotted, credentials_).presign(request).url;
  EXPECT_TRUE(url.starts_with("https://s3.eu-west-1.amazonaws.com/easy.video/uploads/v/")) << url;
  for (std::string name :
       {"", "ab", "Upper", "under_score", "a/b", ".abc", "abc.", "a..b", "a b", "b@host"}) {
    auto bad = options();
    bad.bucket = name;
    EXPECT_EQ(refused([&] { S3ObjectStore(bad, credentials_); }).kind(), ErrorKind::invalid) << name;
  }
}

TEST_F(S3OfAws, EncryptsWhatItMakes) {
  auto headers_of = [&](const Options& given) {
    std::string out;
    for (const auto& [name, value] : Bucket(given, credentials_).creation_headers("video/mp4"))
      out += name + ": " + value + "\n";
    return out;
  };
  const std::string type = "content-type: video/mp4\n";
  EXPECT_EQ(headers_of(options()), type + "x-amz-server-side-encryption: AES256\n");
  EXPECT_EQ(headers_of(scripted()), type) << "another store may know no encryption";
  auto asked = scripted();
  asked.encryption = Encryption::s3;
  EXPECT_EQ(headers_of(asked), type + "x-amz-server-side-encryption: AES256\n");
  asked = options();
  asked.encryption = Encryption::none;
  EXPECT_EQ(headers_of(asked), type);
  asked.kms_key = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd";
  EXPECT_EQ(headers_of(asked), type +
                                   "x-amz-server-side-encryption: aws:kms\n"
                                   "x-amz-server-side-encryption-aws-kms-key-id: "
                                   "arn:aws:kms:eu-west-1:111122223333:key/1234abcd\n"
                                   "x-amz-server-side-encryption-bucket-key-enabled: true\n");
}

TEST_F(S3OfAws, SignsTheEncryptionOfEveryKindOfObject) {
  auto with_key = scripted();
  with_key.kms_key = "a-key";
  S3ObjectStore store(with_key, credentials_);
  answer("Put", {{aws::http_answer(200, "", {{"ETag", "\"e\""}})}});
  answer("Begin", {{aws::http_answer(200,
                                     "<InitiateMultipartUploadResult><UploadId>u</UploadId>"
                                     "</InitiateMultipartUploadResult>")}});
  store.put_whole("k", "video/mp4", aws::memory_body("bytes"));
  store.begin_upload("k", "video/mp4", 7);
  ASSERT_EQ(server_.received().size(), 2u);
  for (const auto& request : server_.received()) {
    EXPECT_EQ(request.header("x-amz-server-side-encryption"), "aws:kms");
    EXPECT_EQ(request.header("content-type"), "video/mp4");
    EXPECT_NE(request.header("authorization").find("x-amz-server-side-encryption-aws-kms-key-id"),
              std::string::npos);
  }
  EXPECT_EQ(server_.received()[0].header("x-amz-content-sha256"), aws::hex_sha256("bytes"))
      << "S3 checks what arrives against it";
}

TEST_F(S3OfAws, AsksForNoEncryptionByPresignedAddresses) {
  // A client would have to send that header; the bucket's default encrypts what it puts.
  PresignRequest request;
  request.method = PresignMethod::put;
  request.key = "k";
  request.content_type = "video/mp4";
  request.size = 5;
  auto url = S3ObjectStore(options(), credentials_).presign(request).url;
  EXPECT_NE(url.find("X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost&"), std::string::npos) << url;
}

TEST_F(S3OfAws, PutsAgainWhatArrivedDamaged) {
  S3ObjectStore store(scripted(), credentials_);
  answer("Put", {refusal(400, "XAmzContentSHA256Mismatch"),
                 refusal(400, "BadDigest"),
                 {aws::http_answer(200, "", {{"ETag", "\"e\""}})}});
  EXPECT_EQ(store.put_whole("k", "video/mp4", aws::memory_body("bytes")).etag, "\"e\"");
  EXPECT_EQ(server_.count("PUT"), 3);
  for (const auto& request : server_.received()) EXPECT_EQ(request.body, "bytes");
}

TEST_F(S3OfAws, CompletesWhatWasCompletedBefore) {
  S3ObjectStore store(scripted(), credentials_);
  // The first attempt was carried out and its answer lost, so the second finds no upload.
  answer("ListParts", {parts({6 << 20, 5})});
  answer("Complete", {{"", Then::reset}, refusal(404, "NoSuchUpload")});
  answer("Head", {object(mark_)});
  auto info = store.complete_upload("k", id_, two_);
  EXPECT_EQ(info.etag, "\"e-2\"");
  EXPECT_EQ(info.content_type, "video/mp4");
  // Later, when S3 no longer knows the upload.
  answer("ListParts", {refusal(404, "NoSuchUpload")});
  EXPECT_EQ(store.complete_upload("k", id_, {}).etag, "\"e-2\"");
  // What somebody else has put there since is no answer.
  answer("Head", {object(std::string(32, 'b'))});
  EXPECT_EQ(refused([&] { store.complete_upload("k", id_, {}); }).kind(), ErrorKind::not_found);
  answer("Head", {{aws::http_answer(404, "")}});
  answer("List", {{aws::http_answer(200, "<ListBucketResult/>")}});
  EXPECT_EQ(refused([&] { store.complete_upload("k", id_, {}); }).kind(), ErrorKind::not_found);
}

TEST_F(S3OfAws, ReadsAnErrorThatComesWithSuccess) {
  S3ObjectStore store(scripted(), credentials_);
  answer("ListParts", {parts({6 << 20, 5})});
  answer("Complete", {refusal(200, "InternalError"),
                      {aws::http_answer(200,
                                        "<?xml version=\"1.0\"?>\n \n \n<CompleteMultipartUploadResult><ETag>"
                                        "&quot;e-2&quot;</ETag></CompleteMultipartUploadResult>")}});
  answer("Head", {object("another's")});  // replaced at once by somebody else
  auto info = store.complete_upload("k", id_, two_);
  EXPECT_EQ(info.etag, "\"e-2\"");
  EXPECT_EQ(info.size, (6 << 20) + 5);
  EXPECT_EQ(server_.count("POST"), 2);
}

TEST_F(S3OfAws, SaysWhatIsWrongWithParts) {
  S3ObjectStore store(scripted(), credentials_);
  auto complete = [&](Answer refusal) {
    answer("Complete", {std::move(refusal)});
    return refused([&] { store.complete_upload("k", id_, two_); });
  };
  answer("Head", {{aws::http_answer(404, "")}});
  answer("List", {{aws::http_answer(200, "<ListBucketResult/>")}});
  answer("ListParts", {parts({5, 5})});
  auto error = complete(refusal(400, "EntityTooSmall",
                                "<ProposedSize>5</ProposedSize><MinSizeAllowed>5242880</MinSizeAllowed>"
                                "<PartNumber>1</PartNumber><ETag>1</ETag>"));
  EXPECT_EQ(error.kind(), ErrorKind::invalid);
  ASSERT_EQ(error.faults().size(), 1u);
  EXPECT_EQ(error.faults()[0].pointer, "/parts/0");
  EXPECT_EQ(error.faults()[0].detail, "Part 1 has 5 bytes; each but the last has at least 5242880.");
  // They were right when they were looked at, so somebody has put one again since.
  error =
      complete(refusal(400, "InvalidPart", "<UploadId>x</UploadId><PartNumber>2</PartNumber><ETag>2</ETag>"));
  EXPECT_EQ(error.kind(), ErrorKind::conflict);
  EXPECT_STREQ(error.what(), "Part 2 was put again while the parts were joined.");
  answer("ListParts", {parts({5, 5}), parts({5})});
  error = complete(refusal(400, "InvalidPart"));
  EXPECT_EQ(error.kind(), ErrorKind::conflict);
  EXPECT_STREQ(error.what(), "Part 2 was put again while the parts were joined.")
      << "where S3 does not say which";
  answer("ListParts", {parts({5, 5})});
  EXPECT_EQ(complete(refusal(400, "EntityTooLarge")).kind(), ErrorKind::too_large);
  EXPECT_EQ(complete(refusal(404, "NoSuchUpload")).kind(), ErrorKind::not_found);
  EXPECT_EQ(complete(refusal(403, "AccessDenied")).kind(), ErrorKind::internal);
  // Parts that are out of order are not even sent.
  auto sent = server_.count("POST");
  error = refused([&] { store.complete_upload("k", id_, {{2, "2"}, {1, "1"}}); });
  EXPECT_EQ(error.kind(), ErrorKind::invalid);
  EXPECT_EQ(error.faults().at(0).pointer, "/parts/1/PartNumber");
  EXPECT_EQ(server_.count("POST"), sent);
}

TEST_F(S3OfAws, AbortsOnlyWhatIsThere) {
  S3ObjectStore store(scripted(), credentials_);
  answer("ListParts", {parts({5})});
  answer("Abort", {{"", Then::reset}, refusal(404, "NoSuchUpload")});
  EXPECT_TRUE(store.abort_upload("k", id_)) << "by the attempt whose answer was lost";
  answer("Abort", {refusal(404, "NoSuchUpload")});
  EXPECT_FALSE(store.abort_upload("k", id_)) << "somebody was quicker";
  answer("ListParts", {refusal(404, "NoSuchUpload")});
  answer("Abort", {{aws::http_answer(204, "")}});
  EXPECT_FALSE(store.abort_upload("k", id_)) << "some stores say yes to any";
  answer("ListParts", {refusal(400, "InvalidArgument")});
  EXPECT_FALSE(store.is_upload_open("k", id_));
}

TEST_F(S3OfAws, ReadsOneVersionEvenIfItIsReplacedMeanwhile) {
  S3ObjectStore store(scripted(), credentials_);
  auto part = [](const std::string& etag, const std::string& range, const std::string& length,
                 const std::string& bytes, Then then = Then::keep) {
    return Answer{"HTTP/1.1 206 Partial Content\r\nETag: " + etag + "\r\nContent-Range: bytes " + range +
                      "\r\nContent-Length: " + length + "\r\n\r\n" + bytes,
                  then};
  };
  answer("Get", {part("\"a\"", "2-9/10", "8", "aaa", Then::reset), refusal(412, "PreconditionFailed"),
                 part("\"b\"", "2-9/10", "8", "bbbb", Then::close), part("\"b\"", "6-9/10", "4", "cccc")});
  EXPECT_EQ(store.read_object("k", 2, 100), "bbbbcccc");
  auto received = server_.received();
  ASSERT_EQ(received.size(), 4u);
  auto asked = [&](std::size_t i) {
    return received[i].header("range") + " " + received[i].header("if-match");
  };
  EXPECT_EQ(asked(0), "bytes=2-101 ");
  EXPECT_EQ(asked(1), "bytes=5-101 \"a\"");
  EXPECT_EQ(asked(2), "bytes=2-101 ");
  EXPECT_EQ(asked(3), "bytes=6-101 \"b\"");
  // An answer to another question is never taken for one to ours.
  for (const auto& wrong :
       {Answer{aws::http_answer(200, "0123456789")}, part("\"a\"", "0-7/10", "8", "aaaaaaaa"),
        part("\"a\"", "2-9/10", "8", "aaaaaaaa")}) {
    answer("Get", {wrong});
    auto length = wrong.bytes.find("2-9/10") == std::string::npos ? 8 : 4;
    EXPECT_EQ(refused([&] { store.read_object("k", 2, length); }).kind(), ErrorKind::unavailable);
  }
}

TEST_F(S3OfAws, SaysPlainlyWhyTheBucketCannotBeUsed) {
  S3ObjectStore store(scripted(), credentials_);
  auto why = [&](int status, const std::string& code, const std::string& more = "",
                 const aws::Headers& headers = {}) {
    answer("Head", {{aws::http_answer(status, "", headers)}});
    answer("List", {refusal(status, code, more, headers)});
    return complaint([&] { store.check_bucket(); });
  };
  EXPECT_EQ(why(404, "NoSuchBucket"), "The bucket easy-video does not exist.");
  EXPECT_EQ(why(301, "PermanentRedirect", "<Endpoint>easy-video.s3.us-west-2.amazonaws.com</Endpoint>",
                {{"x-amz-bucket-region", "us-west-2"}}),
            "The bucket easy-video is in the region us-west-2, not in eu-west-1.");
  EXPECT_EQ(why(400, "AuthorizationHeaderMalformed", "<Region>us-west-2</Region>"),
            "The bucket easy-video is in the region us-west-2, not in eu-west-1.");
  EXPECT_EQ(
      why(403, "AccessDenied"),
      "The bucket easy-video may not be used with our access keys: s3:ListBucket is refused (AccessDenied).");
  EXPECT_EQ(why(403, "InvalidAccessKeyId"), "S3 does not take our access keys (InvalidAccessKeyId).");
  EXPECT_EQ(why(403, "SignatureDoesNotMatch"), "S3 does not take our access keys (SignatureDoesNotMatch).");

  answer("Head", {{aws::http_answer(200, "")}});
  answer("Begin", {refusal(400, "KMS.NotFoundException")});
  EXPECT_EQ(complaint([&] { store.check_bucket(); }),
            "The bucket easy-video cannot be written to: its KMS key is refused (KMS.NotFoundException).");
  answer("Begin", {{aws::http_answer(200,
                                     "<InitiateMultipartUploadResult><UploadId>u</UploadId>"
                                     "</InitiateMultipartUploadResult>")}});
  answer("Abort", {refusal(403, "AccessDenied")});
  EXPECT_NE(complaint([&] { store.check_bucket(); }).find("s3:AbortMultipartUpload"), std::string::npos);
  answer("Abort", {{aws::http_answer(204, "")}});
  store.check_bucket();
}

TEST_F(S3OfAws, ABucketThatIsNotThereIsNotABucketWithoutTheObject) {
  S3ObjectStore store(scripted(), credentials_);
  answer("Head", {{aws::http_answer(404, "")}});
  for (const char* operation : {"List", "Get", "ListParts", "Abort"})
    answer(operation, {refusal(404, "NoSuchBucket")});
  const std::string absent = "The bucket easy-video does not exist.";
  EXPECT_EQ(complaint([&] { store.find_object("k"); }), absent);
  EXPECT_EQ(complaint([&] { store.read_object("k", 0, 0); }), absent);
  EXPECT_EQ(complaint([&] { store.remove_object("k"); }), absent);
  EXPECT_EQ(complaint([&] { store.readable_location("k"); }), absent);
  const std::vector<std::function<void()>> others = {
      [&] { store.read_object("k", 0, 5); }, [&] { store.complete_upload("k", id_, two_); },
      [&] { store.is_upload_open("k", id_); }, [&] { store.abort_upload("k", id_); }};
  for (const auto& other : others) EXPECT_NE(refused(other).kind(), ErrorKind::not_found);
  // Where it was seen, what is not in it is absent, and nothing more is asked for a while.
  answer("List", {{aws::http_answer(200, "<ListBucketResult/>")}});
  EXPECT_FALSE(store.find_object("k"));
  const auto asked = server_.count("GET");
  EXPECT_FALSE(store.find_object("k"));
  EXPECT_EQ(server_.count("GET"), asked);
}

TEST_F(S3OfAws, ListsPageByPageAndPassesOverWhatIsNoKeyOfOurs) {
  S3ObjectStore store(scripted(), credentials_);
  auto page = [](const std::vector<std::string>& keys, bool is_last) {
    std::string xml = "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>" +
                      std::string(is_last ? "false" : "true") + "</IsTruncated>";
    for (const auto& key : keys)
      xml += "<Contents><Key>" + key +
             "</Key><LastModified>2026-11-22T17:00:00.000Z</LastModified><ETag>\"e\"</ETag><Size>1</Size></"
             "Contents>";
    return Answer{aws::http_answer(200, xml + "</ListBucketResult>")};
  };
  answer("List",
         {page({"a%2F", "a%2F%2Fb", "a%0A"}, false), page({"a%2Fb+c", "a%2F.."}, false), page({"b"}, true)});
  auto found = store.list_objects("a", "", 2);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].key, "a/b c");
  EXPECT_EQ(found[1].key, "b");
  auto received = server_.received();
  ASSERT_EQ(received.size(), 3u);
  EXPECT_EQ(received[0].target.find("start-after"), std::string::npos);
  EXPECT_NE(received[1].target.find("start-after=a%0A"), std::string::npos);
  EXPECT_NE(received[2].target.find("start-after=a%2F.."), std::string::npos);
  answer("List", {{aws::http_answer(200, "<html>a proxy</html>")}});
  EXPECT_EQ(refused([&] { store.list_objects("a", "", 2); }).kind(), ErrorKind::unavailable);
}

}  // namespace
}  // namespace segments::s3
