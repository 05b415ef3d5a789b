// libavformat, libavcodec and libavutil, loaded when a process first reads media. Linked, they would be
// loaded by every process at its start, with 120 libraries of codecs and protocols behind them: 20 MB and 30
// ms that a server, a queue's tool or an idle worker has no use for. Inside this room only.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
}

namespace segments {

// A function of a loaded library, on its way to a pointer of its type.
struct LibraryFunction {
  void* address;
  template <class F>
  operator F*() const {
    return reinterpret_cast<F*>(address);
  }
};

class Library {
 public:
  // Throws Error{internal} when it is not there, or lacks a function that is asked for.
  Library(const char* name, int version);
  LibraryFunction operator()(const char* function) const;

 private:
  void* handle_;
};

// What this room calls, by the libraries' own names. Inline functions and macros need no entry.
class Libav {
  Library util_{"libavutil.so", LIBAVUTIL_VERSION_MAJOR};
  Library codec_{"libavcodec.so", LIBAVCODEC_VERSION_MAJOR};
  Library format_{"libavformat.so", LIBAVFORMAT_VERSION_MAJOR};

 public:
  decltype(&::av_dict_set) av_dict_set = util_("av_dict_set");
  decltype(&::av_dict_free) av_dict_free = util_("av_dict_free");
  decltype(&::av_display_rotation_get) av_display_rotation_get = util_("av_display_rotation_get");
  decltype(&::av_freep) av_freep = util_("av_freep");
  decltype(&::av_log_set_level) av_log_set_level = util_("av_log_set_level");
  decltype(&::av_malloc) av_malloc = util_("av_malloc");
  decltype(&::av_rescale_q) av_rescale_q = util_("av_rescale_q");
  decltype(&::av_strerror) av_strerror = util_("av_strerror");

  decltype(&::av_packet_alloc) av_packet_alloc = codec_("av_packet_alloc");
  decltype(&::av_packet_free) av_packet_free = codec_("av_packet_free");
  decltype(&::av_packet_ref) av_packet_ref = codec_("av_packet_ref");
  decltype(&::av_packet_rescale_ts) av_packet_rescale_ts = codec_("av_packet_rescale_ts");
  decltype(&::av_packet_unref) av_packet_unref = codec_("av_packet_unref");
  decltype(&::avcodec_get_name) avcodec_get_name = codec_("avcodec_get_name");
  decltype(&::avcodec_parameters_copy) avcodec_parameters_copy = codec_("avcodec_parameters_copy");

  decltype(&::av_guess_format) av_guess_format = format_("av_guess_format");
  decltype(&::av_interleaved_write_frame) av_interleaved_write_frame = format_("av_interleaved_write_frame");
  decltype(&::av_read_frame) av_read_frame = format_("av_read_frame");
  decltype(&::av_stream_get_side_data) av_stream_get_side_data = format_("av_stream_get_side_data");
  decltype(&::av_stream_new_side_data) av_stream_new_side_data = format_("av_stream_new_side_data");
  decltype(&::av_write_trailer) av_write_trailer = format_("av_write_trailer");
  decltype(&::avformat_alloc_context) avformat_alloc_context = format_("avformat_alloc_context");
  decltype(&::avformat_alloc_output_context2) avformat_alloc_output_context2 =
      format_("avformat_alloc_output_context2");
  decltype(&::avformat_close_input) avformat_close_input = format_("avformat_close_input");
  decltype(&::avformat_find_stream_info) avformat_find_stream_info = format_("avformat_find_stream_info");
  decltype(&::avformat_free_context) avformat_free_context = format_("avformat_free_context");
  decltype(&::avformat_new_stream) avformat_new_stream = format_("avformat_new_stream");
  decltype(&::avformat_open_input) avformat_open_input = format_("avformat_open_input");
  decltype(&::avformat_query_codec) avformat_query_codec = format_("avformat_query_codec");
  decltype(&::avformat_write_header) avformat_write_header = format_("avformat_write_header");
  decltype(&::avio_alloc_context) avio_alloc_context = format_("avio_alloc_context");
  decltype(&::avio_closep) avio_closep = format_("avio_closep");
  decltype(&::avio_context_free) avio_context_free = format_("avio_context_free");
  decltype(&::avio_open) avio_open = format_("avio_open");
  decltype(&::avio_size) avio_size = format_("avio_size");
};

// The one of this process, loaded by the first call. Any thread may call.
const Libav& libav();

}  // namespace segments
