"""What runs in the embedder's process only. Imports numpy and onnxruntime: no server may."""
