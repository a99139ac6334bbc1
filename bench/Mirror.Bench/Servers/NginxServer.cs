namespace Mirror.Bench.Servers;

/// <summary>nginx with a registry's answers as plain files below <see cref="Files"/>: how fast a file can be, and the upstream of the mirrors.</summary>
internal sealed class NginxServer(string folder, string tagDigest) : Server("nginx", folder)
{
    public string Files => Path.Combine(Folder, "files");

    protected override string Program => "nginx";

    protected override string[] Arguments => ["-p", Folder, "-e", "stderr", "-c", Path.Combine(Folder, "nginx.conf")];

    protected override void WriteConfiguration()
    {
        Directory.CreateDirectory(Files);
        File.WriteAllText(Path.Combine(Folder, "nginx.conf"), $$"""
            daemon off;
            {{(Environment.IsPrivilegedProcess ? "user root;" : "")}}
            worker_processes auto;
            pid {{Folder}}/nginx.pid;
            error_log stderr crit;
            events { worker_connections 1024; }
            http {
              access_log off;
              sendfile on;
              tcp_nopush on;
              keepalive_requests 1000000000;
              keepalive_timeout 1h;
              open_file_cache max=1000 inactive=1h;
              open_file_cache_valid 1h;
              client_body_temp_path {{Folder}}/body;
              proxy_temp_path {{Folder}}/proxy;
              fastcgi_temp_path {{Folder}}/fastcgi;
              uwsgi_temp_path {{Folder}}/uwsgi;
              scgi_temp_path {{Folder}}/scgi;
              root {{Files}};
              server {
                listen {{Address}};
                add_header Docker-Distribution-API-Version registry/2.0;
                location = /v2/ { default_type application/json; return 200 "{}"; }
                location ~ ^/v2/.*/blobs/(?<digest>sha256:.*)$ {
                  default_type application/octet-stream;
                  add_header Docker-Content-Digest $digest;
                }
                location ~ ^/v2/.*/manifests/(?<digest>sha256:.*)$ {
                  default_type {{Image.ManifestType}};
                  add_header Docker-Content-Digest $digest;
                }
                location ~ ^/v2/.*/manifests/ {
                  default_type {{Image.ManifestType}};
                  add_header Docker-Content-Digest {{tagDigest}};
                }
              }
            }
            """);
    }
}
