"""What a device sends, shown to whoever looks at its page: kept only while somebody does."""
