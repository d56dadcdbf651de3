"""The weight bridge: ResNet weights of this project, of other libraries, and between them."""
