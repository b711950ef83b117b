"""The MNIST files, their splits, images held out, made-up images."""
