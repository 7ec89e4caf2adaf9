"""Quality of samples: FID, KID, Inception score, and the networks they are measured with."""
