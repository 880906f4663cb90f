#version 330 core

uniform sampler2D picture;
uniform vec2 extent;
in vec2 uv;
out vec4 color;

void main() {
    // Stay half a texel inside, so that linear filtering never reaches beyond the picture.
    vec2 border = 0.5 / vec2(textureSize(picture, 0));
    color = vec4(texture(picture, clamp(uv, border, extent - border)).rgb, 1.0);
}
