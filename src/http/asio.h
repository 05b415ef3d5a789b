// Asio as this room uses it: sockets and coroutines bound to one thread's io_context, without type-erased
// executors. Included by the .cc files of this room only.
#pragma once

#if defined(__clang__) && !defined(__cpp_impl_coroutine)
// Clang 14 has C++20's coroutines but does not say so; the fuzz targets are built by it.
#define __cpp_impl_coroutine 201902L
#endif

#if defined(__SANITIZE_THREAD__) && !defined(BOOST_ASIO_DISABLE_FENCED_BLOCK)
// ThreadSanitizer knows no fences. What handlers hand on to each other goes through locks in any case.
#define BOOST_ASIO_DISABLE_FENCED_BLOCK 1
#endif

// A request runs through half a dozen coroutines, whose frames a thread keeps for the next one: Asio's two
// places are too few for their different sizes.
#define BOOST_ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE 8

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

namespace segments::http {

namespace asio = boost::asio;
using boost::system::error_code;

using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;
using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                         asio::wait_traits<std::chrono::steady_clock>, Executor>;

template <class T>
using Task = asio::awaitable<T, Executor>;

// co_await socket.async_…(…, awaiting) gives a tuple that begins with the error code; nothing is thrown.
constexpr asio::as_tuple_t<asio::use_awaitable_t<Executor>> awaiting{};

}  // namespace segments::http
