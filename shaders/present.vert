#version 330 core

// A quad over the whole viewport. The picture's first row is its top; it fills the part
// [0, extent] of the texture.
uniform vec2 extent;
out vec2 uv;

void main() {
    vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
    uv = vec2(corner.x, 1.0 - corner.y) * extent;
    gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}
