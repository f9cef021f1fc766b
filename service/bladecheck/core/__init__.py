"""What one picture shows: safe decoding, the model at work, the verdict, the copy to post."""
