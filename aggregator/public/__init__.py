"""Public videos: what they show, in numbers and in words, for whoever distils from them."""
