// What AWS says about a request that it did not carry out.
#pragma once

#include <string>

#include "aws/response_reader.h"

namespace segments::aws {

struct ErrorAnswer {
  std::string code;     // "ConditionalCheckFailedException", "NoSuchKey"; "Http404" where AWS gave none
  std::string message;  // may be empty
};

// Of a response whose status is not 2xx: JSON as DynamoDB writes it, XML as S3 and STS do, or nothing.
ErrorAnswer error_of(const HttpResponse&);
// True where the body is an <Error>: S3 sends some with status 200, when a long copy has failed.
bool is_error_document(const HttpResponse&);
// AWS's own id of the request, for the log; "" where there is none.
std::string request_id_of(const HttpResponse&);

}  // namespace segments::aws
