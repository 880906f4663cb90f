#version 330 core

// A Gaussian as a quad around its ellipse alpha >= 1/255: EWA splatting, with the equations and the
// names of core/rendering/cpu/project.py. Row 0 of the framebuffer is the picture's top.

const float NEAR = 0.01;
const float FAR = 1e10;
const float EPS2D = 0.3;
const float LOG2_MIN_ALPHA = -7.9943534;
const float LN2 = 0.69314718;
const float HALF_LOG2E = 0.72134752;
const float PAD = 0.05;

uniform sampler2D gaussians;  // three texels each: mean, opacity; quaternion; scales
uniform mat3 rows;            // rows of the rotation world to camera
uniform vec3 translation;
uniform vec4 lens;            // fx, fy, cx, cy
uniform vec4 slopes;          // least x / z and y / z in the Jacobian, and greatest
uniform vec2 size;
uniform bool antialiased;

in uint index;
in vec3 color;

flat out vec2 mean;
flat out vec4 whitening;      // k11, k21, k22, log2 of the opacity
flat out vec3 tone;

vec4 texel(uint number) {
    uint place = 3u * index + number;
    uint width = uint(textureSize(gaussians, 0).x);
    return texelFetch(gaussians, ivec2(place % width, place / width), 0);
}

mat3 rotation_matrix(vec4 q) {
    float w = q.x, x = q.y, y = q.z, z = q.w;
    return mat3(
        1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y + w * z), 2.0 * (x * z - w * y),
        2.0 * (x * y - w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z + w * x),
        2.0 * (x * z + w * y), 2.0 * (y * z - w * x), 1.0 - 2.0 * (x * x + y * y)
    );
}

void main() {
    gl_Position = vec4(2.0, 2.0, 2.0, 1.0);  // not drawn
    mean = vec2(0.0);
    whitening = vec4(0.0);
    tone = color;

    vec4 first = texel(0u);
    vec3 center = first.xyz * rows + translation;
    float opacity = first.w;
    if (!(center.z >= NEAR && center.z <= FAR)) {
        return;
    }
    mean = lens.xy * center.xy / center.z + lens.zw;

    vec2 slope = clamp(center.xy / center.z, slopes.xy, slopes.zw);
    vec2 scale = lens.xy / center.z;
    mat3 axes = rotation_matrix(texel(1u));
    vec3 sizes = texel(2u).xyz;
    vec3 u = (scale.x * (rows[0] - slope.x * rows[2])) * axes * sizes;
    vec3 v = (scale.y * (rows[1] - slope.y * rows[2])) * axes * sizes;
    vec3 normal = cross(u, v);
    float raw_determinant = dot(normal, normal);
    float xx = dot(u, u), xy = dot(u, v), yy = dot(v, v);
    float determinant = raw_determinant + EPS2D * (xx + yy + EPS2D);
    xx += EPS2D;
    yy += EPS2D;
    if (antialiased) {
        opacity *= sqrt(raw_determinant / determinant);
    }
    float log2_opacity = log2(opacity);
    float reach = 2.0 * LN2 * (log2_opacity - LOG2_MIN_ALPHA);
    if (!(reach >= 0.0 && determinant > 0.0 && determinant < 1e30)) {
        return;
    }
    float k11 = sqrt(HALF_LOG2E * yy / determinant);
    whitening = vec4(k11, -HALF_LOG2E * xy / determinant / k11, sqrt(HALF_LOG2E / yy),
                     log2_opacity);

    float half_difference = 0.5 * (xx - yy);
    float root = sqrt(half_difference * half_difference + xy * xy);
    float largest = 0.5 * (xx + yy) + root;
    vec2 direction = half_difference >= 0.0 ? vec2(root + half_difference, xy)
                                            : vec2(xy, root - half_difference);
    float squared = dot(direction, direction);
    direction = squared > 0.0 ? direction * inversesqrt(squared) : vec2(1.0, 0.0);
    float along = sqrt(reach * largest) + PAD;
    float across = sqrt(reach * determinant / largest) + PAD;
    vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1) * 2.0 - 1.0;
    vec2 place = mean + corner.x * along * direction
               + corner.y * across * vec2(-direction.y, direction.x);
    gl_Position = vec4(place / size * 2.0 - 1.0, 0.0, 1.0);
}
