using System.Net;

namespace Mirror.Bench.Servers;

/// <summary>nginx that ends TLS before another server, with connections to it that are kept.</summary>
internal sealed class TlsEndServer(string name, string folder, Certificate certificate, IPEndPoint behind) : Server(name, folder)
{
    protected override string Program => "nginx";

    protected override bool SpeaksTls => true;

    protected override string[] Arguments => ["-p", Folder, "-e", "stderr", "-c", Path.Combine(Folder, "nginx.conf")];

    protected override void WriteConfiguration() => File.WriteAllText(Path.Combine(Folder, "nginx.conf"), $$"""
        daemon off;
        {{(Environment.IsPrivilegedProcess ? "user root;" : "")}}
        worker_processes auto;
        pid {{Folder}}/nginx.pid;
        error_log stderr crit;
        events { worker_connections 1024; }
        http {
          access_log off;
          keepalive_requests 1000000000;
          keepalive_timeout 1h;
          client_body_temp_path {{Folder}}/body;
          proxy_temp_path {{Folder}}/proxy;
          fastcgi_temp_path {{Folder}}/fastcgi;
          uwsgi_temp_path {{Folder}}/uwsgi;
          scgi_temp_path {{Folder}}/scgi;
          upstream behind {
            server {{behind}};
            keepalive 64;
            keepalive_requests 1000000000;
          }
          server {
            listen {{Address}} ssl http2;
            http2_max_requests 1000000000;
            ssl_certificate {{certificate.Path}};
            ssl_certificate_key {{certificate.KeyPath}};
            ssl_protocols TLSv1.2 TLSv1.3;
            client_max_body_size 0;
            location / {
              proxy_pass http://behind;
              proxy_http_version 1.1;
              proxy_set_header Connection "";
              proxy_set_header Host $http_host;
              proxy_set_header X-Forwarded-For $remote_addr;
              proxy_set_header X-Forwarded-Proto $scheme;
              proxy_buffering off;
            }
          }
        }
        """);
}
