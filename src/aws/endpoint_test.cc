#include "aws/endpoint.h"

#include <gtest/gtest.h>

#include "aws/profile.h"
#include "aws/test_credentials.h"
#include "aws/xml.h"
#include "base/error.h"

namespace segments::aws {
namespace {

TEST(Origin, IsReadFromAUrl) {
  auto origin = parse_origin("https://S3.Example.com/", "S3", "V");
  EXPECT_TRUE(origin.tls);
  EXPECT_EQ(origin.host, "s3.example.com");
  EXPECT_EQ(origin.port, 443);
  EXPECT_EQ(origin.authority(), "s3.example.com");
  origin = parse_origin("http://127.0.0.1:8000", "S3", "V");
  EXPECT_FALSE(origin.tls);
  EXPECT_EQ(origin.authority(), "127.0.0.1:8000");
  origin = parse_origin("http://[::1]:80", "S3", "V");
  EXPECT_EQ(origin.host, "::1");
  EXPECT_EQ(origin.authority(), "[::1]");
  EXPECT_EQ(parse_origin("http://[fd00:ec2::254]", "S3", "V").url(), "http://[fd00:ec2::254]");
  EXPECT_EQ(parse_origin("https://h:80", "S3", "V").url(), "https://h:80");
  for (const char* wrong :
       {"", "s3.example.com", "ftp://h", "http://", "http:///", "http://h/path", "http://h?q", "http://u:p@h",
        "http://h:0", "http://h:65536", "http://h:x", "http://[::1", "http://[::1]x", "http://h\r\nx",
        "http://h h", "http://h#f", "http://:80"})
    try {
      parse_origin(wrong, "S3", "AWS_ENDPOINT_URL");
      ADD_FAILURE() << wrong;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid);
      EXPECT_TRUE(std::string(error.what()).starts_with("AWS_ENDPOINT_URL ")) << error.what();
    }
}

class Endpoints : public testing::Test, protected TestEnvironment {
 protected:
  std::string url_of(const char* service, const char* region) {
    return endpoint_of(service, "X", region, environment()).origin.url();
  }
};

TEST_F(Endpoints, Region) {
  EXPECT_EQ(find_region(environment()), std::nullopt);
  put_file("config", "[default]\nregion=eu-west-1\n[profile dev]\nregion=eu-west-2\n");
  EXPECT_EQ(find_region(environment()), "eu-west-1");
  set("AWS_PROFILE", "dev");
  EXPECT_EQ(find_region(environment()), "eu-west-2");
  set("AWS_DEFAULT_REGION", "eu-west-3");
  EXPECT_EQ(find_region(environment()), "eu-west-3");
  set("AWS_REGION", "eu-central-1");
  EXPECT_EQ(find_region(environment()), "eu-central-1");
  set("AWS_REGION", "evil.com/");
  EXPECT_THROW(find_region(environment()), Error);
}

TEST_F(Endpoints, OfAwsAndOverridden) {
  EXPECT_EQ(url_of("dynamodb", "eu-west-1"), "https://dynamodb.eu-west-1.amazonaws.com");
  EXPECT_EQ(url_of("s3", "cn-north-1"), "https://s3.cn-north-1.amazonaws.com.cn");
  EXPECT_FALSE(endpoint_of("s3", "S3", "eu-west-1", environment()).is_overridden);
  set("AWS_ENDPOINT_URL", "http://localhost:4566");
  EXPECT_EQ(url_of("dynamodb", "eu-west-1"), "http://localhost:4566");
  set("AWS_ENDPOINT_URL_DYNAMODB", "http://localhost:8000");
  EXPECT_EQ(url_of("dynamodb", "eu-west-1"), "http://localhost:8000");
  EXPECT_EQ(url_of("s3", "eu-west-1"), "http://localhost:4566");
  EXPECT_TRUE(endpoint_of("s3", "S3", "eu-west-1", environment()).is_overridden);
  set("AWS_ENDPOINT_URL_S3", "nonsense");
  EXPECT_THROW(url_of("s3", "eu-west-1"), Error);
}

TEST_F(Endpoints, OfABucket) {
  auto show = [](const BucketAddress& address) { return address.origin.url() + " " + address.prefix; };
  auto aws = endpoint_of("s3", "S3", "eu-west-1", environment());
  EXPECT_EQ(show(address_of_bucket(aws, "b", BucketStyle::automatic)),
            "https://b.s3.eu-west-1.amazonaws.com ");
  EXPECT_EQ(show(address_of_bucket(aws, "b.c", BucketStyle::automatic)),
            "https://s3.eu-west-1.amazonaws.com /b.c");
  EXPECT_EQ(show(address_of_bucket(aws, "b", BucketStyle::path)), "https://s3.eu-west-1.amazonaws.com /b");
  set("AWS_ENDPOINT_URL", "http://localhost:7480");
  auto other = endpoint_of("s3", "S3", "eu-west-1", environment());
  EXPECT_EQ(show(address_of_bucket(other, "b", BucketStyle::automatic)), "http://localhost:7480 /b");
  EXPECT_EQ(show(address_of_bucket(other, "b", BucketStyle::host)), "http://b.localhost:7480 ");
}

TEST(Xml, ReadsElementsAndText) {
  auto document = parse_xml(
      "\xEF\xBB\xBF<?xml version=\"1.0\"?>\n<!-- c -->\n<s:List xmlns=\"http://x/?a=1&amp;b\" s:a='>'>"
      "<Key>a&amp;&lt;&#233;&#x1F600;</Key><Key><![CDATA[<&>]]></Key><Empty/><Sub ><A>1</A "
      "></Sub></s:List>\n");
  ASSERT_TRUE(document);
  EXPECT_EQ(document->name, "List");
  EXPECT_EQ(document->children.size(), 4u);
  EXPECT_EQ(document->text_of("Key"), "a&<\xC3\xA9\xF0\x9F\x98\x80");
  EXPECT_EQ(document->children[1].text, "<&>");
  EXPECT_TRUE(document->find("Empty"));
  EXPECT_EQ(document->find("Sub")->text_of("A"), "1");
  EXPECT_EQ(document->find("None"), nullptr);
}

TEST(Xml, RefusesWhatIsNone) {
  std::string deep;
  for (int i = 0; i < 40; ++i) deep += "<a>";
  for (const std::string& wrong :
       {std::string(), std::string("text"), std::string("<a>"), std::string("<a></b>"),
        std::string("<a>&x;</a>"), std::string("<a>&#0;</a>"), std::string("<a>&#xD800;</a>"),
        std::string("<a/><b/>"), std::string("<a/>text"),
        std::string("<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>"), std::string("<a b=\"></a>"),
        std::string("<a><!-- </a>"), std::string("<a><![CDATA[ </a>"), std::string("< a/>"),
        std::string("<a>&amp</a>"), deep})
    EXPECT_FALSE(parse_xml(wrong)) << wrong;
}

}  // namespace
}  // namespace segments::aws
