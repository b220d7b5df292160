"""Who a connection or a request belongs to, and when that ends."""
