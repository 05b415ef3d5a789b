"""What a segment's record has, in the order of the contract."""
COLUMNS = ("segment_id", "video_id", "user_id", "segment_type", "segment_number", "s3_key", "s3_url", "duration", "file_size", "content_type", "thumbnail_url",
           "created_at", "updated_at", "title", "description", "tags", "social_media_usage", "filename", "download_count", "last_downloaded_at")
